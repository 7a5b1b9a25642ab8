package io.labyrinth.cli;

import io.labyrinth.LabyrinthException;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The commands. Each failure is a line on standard error and an exit code. */
@Command(name = "labyrinth", mixinStandardHelpOptions = true, version = "labyrinth 0.1.0",
        description = "Shows a page-frame allocator for the JVM at work.",
        subcommands = {DigestCommand.class, StressCommand.class, RelayCommand.class, MapCommand.class,
            DoctorCommand.class})
final class LabyrinthCli {

    static final int OK = 0;
    static final int FAILED = 1;
    static final int USAGE = 2;
    /** 128 + SIGPIPE: what a shell shows for a program whose output nobody reads any more. */
    static final int READER_GONE = 141;

    private LabyrinthCli() {
    }

    static int run(String[] args) {
        CommandLine line = new CommandLine(new LabyrinthCli());
        line.setExpandAtFiles(false);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        StandardOutput out = new StandardOutput();
        PrintWriter text = new PrintWriter(new OutputStreamWriter(out, StandardCharsets.ISO_8859_1), true);
        line.setOut(text);
        line.setErr(new PrintWriter(new OutputStreamWriter(System.err, StandardCharsets.ISO_8859_1), true));
        line.setParameterExceptionHandler((mistake, given) -> {
            CommandLine of = mistake.getCommandLine();
            String number = Numbers.refusal(mistake);
            of.getErr().println("labyrinth: " + RawText.visible(number == null ? mistake.getMessage() : number)
                    + "; see labyrinth " + (of.getParent() == null ? "" : of.getCommandName() + " ") + "--help");
            return USAGE;
        });
        line.setExecutionStrategy(parsed -> {
            Numbers.check(parsed);
            return new CommandLine.RunLast().execute(parsed);
        });
        line.setExecutionExceptionHandler((failure, of, parsed) -> {
            if (failure instanceof StandardOutput.Lost lost) {
                return end(lost);
            }
            of.getErr().println("labyrinth: " + RawText.visible(describe(failure)));
            return failure instanceof LabyrinthException.InvalidRequest ? USAGE : FAILED;
        });
        if (args.length == 0) {
            line.usage(line.getErr());
            return USAGE;
        }
        int code = line.execute(args);
        text.flush();
        StandardOutput.Lost lost = out.lost();
        return lost == null ? code : end(lost);
    }

    private static int end(StandardOutput.Lost lost) {
        if (lost.isReaderGone()) {
            return READER_GONE;
        }
        error(lost.getMessage());
        return FAILED;
    }

    private static String describe(Exception failure) {
        return switch (failure) {
            case LabyrinthException refused -> String.valueOf(refused.getMessage());
            case Violation violation -> "violation: " + violation.getMessage();
            case IOException io -> Failures.describe(io);
            default -> "unexpected: " + failure;
        };
    }

    static void error(String line) {
        System.err.writeBytes(RawText.bytes("labyrinth: " + line + "\n"));
    }
}
