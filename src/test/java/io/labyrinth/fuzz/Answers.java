package io.labyrinth.fuzz;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/** A process that answers each line with one line. If it dies, or does not answer in time, a new one is started. */
final class Answers implements AutoCloseable {

    /** For what takes a few milliseconds, or some hundred on a busy machine. */
    private static final int PATIENCE_SECONDS = 10;

    private final Supplier<Process> start;
    private final ExecutorService readers = Executors.newVirtualThreadPerTaskExecutor();
    private Process process;

    Answers(Supplier<Process> start) {
        this.start = start;
    }

    /** What it says; or that it died, with what it said before; or that it hangs. */
    String to(String line) throws IOException, InterruptedException {
        if (process == null) {
            process = start.get();
        }
        BufferedReader reader = process.inputReader();
        try {
            Writer writer = process.outputWriter();
            writer.write(line + "\n");
            writer.flush();
            String answer = readers.submit(reader::readLine).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
            if (answer != null && answer.matches("[A-Z_]+|bad .*|mapped=.*")) {
                return answer;
            }
            end();
            return "died: " + answer;
        } catch (TimeoutException hangs) {
            end();
            return "hangs";
        } catch (IOException | ExecutionException dead) {
            end();
            return "died: " + dead.getMessage();
        }
    }

    private void end() throws InterruptedException {
        process.destroyForcibly().waitFor();
        process = null;
    }

    @Override
    public void close() {
        if (process != null) {
            process.destroyForcibly();
        }
        readers.shutdownNow();
    }
}
