package io.labyrinth.cli;

import io.labyrinth.Frame;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * This process's end of a relay (native/relay/relay.h): a native program, its pipes, and what to do when it dies. It
 * takes one file at a time. If the program dies, its file is begun again.
 */
abstract class Relay {

    /** The order of each run: 2^4 frames, as in native/relay. */
    static final int ORDER = 4;
    static final int PIECE_BYTES = 16;
    static final int ANSWER_BYTES = 48;
    static final int SUM_BYTES = 32;

    /** If the program ends so often within one file, the relay fails. */
    private static final int PATIENCE = 3;

    final Labyrinth labyrinth;
    final List<Path> files;
    long bytes;
    int killed;
    int takenBack;

    private final Path program;
    private final int killIn;
    private Process process;

    Relay(Labyrinth labyrinth, Path program, List<Path> files, int killIn) {
        this.labyrinth = labyrinth;
        this.program = program;
        this.files = files;
        this.killIn = killIn;
    }

    /** SHA-256 of the file, in hexadecimal. */
    String sum(int file) throws IOException, InterruptedException {
        for (int tries = 1; ; tries++) {
            if (process == null) {
                process = start(file);
            }
            try {
                return tried(file);
            } catch (Gone gone) {
                int exit = process.waitFor();
                process = null;
                takeBack();
                takenBack += labyrinth.sweepDeadOwners();
                if (tries == PATIENCE) {
                    throw new IOException("program=" + program + " exit=" + exit + " tries=" + tries
                            + ": it ended before its work was done; its own message is above");
                }
            }
        }
    }

    /** One try with the program that is running. */
    abstract String tried(int file) throws IOException;

    /** The program has ended: frees the frames of tickets that it had not accepted. */
    abstract void takeBack() throws IOException;

    /** The program's arguments after the labyrinth's path. */
    abstract List<String> arguments(int file);

    private Process start(int file) throws IOException {
        List<String> command = new ArrayList<>(List.of(program.toString(), labyrinth.sharedPath().toString()));
        command.addAll(arguments(file));
        return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    }

    /** All files are done: waits until the program ends by itself. */
    void end() throws IOException, InterruptedException {
        process.getOutputStream().close();
        int exit = process.waitFor();
        if (exit != 0) {
            throw new IOException("program=" + program + " exit=" + exit + ": it failed at its end");
        }
    }

    /** Kills the program, once, in the middle of the file that {@code --kill} names. */
    void mayKill(int file) {
        if (file == killIn - 1 && killed == 0) {
            killed++;
            process.destroyForcibly();
        }
    }

    /** Says that the program has ended. */
    static final class Gone extends IOException {
        private static final long serialVersionUID = 1L;
    }

    void write(ByteBuffer record) throws Gone {
        try {
            OutputStream out = process.getOutputStream();
            out.write(record.array());
            out.flush();
        } catch (IOException e) {
            throw new Gone();
        }
    }

    ByteBuffer read(int length) throws Gone {
        byte[] record = new byte[length];
        try {
            InputStream in = process.getInputStream();
            if (in.readNBytes(record, 0, length) < length) {
                throw new EOFException();
            }
        } catch (IOException e) {
            throw new Gone();
        }
        return ByteBuffer.wrap(record).order(ByteOrder.nativeOrder());
    }

    static ByteBuffer record(int length) {
        return ByteBuffer.allocate(length).order(ByteOrder.nativeOrder());
    }

    /** Frees the frame of a ticket that nobody accepted. The frame of an accepted ticket comes back by a sweep. */
    void free(long ticket) {
        try (Frame frame = labyrinth.accept(ticket)) {
            takenBack += 1 << frame.order();
        } catch (LabyrinthException.Stale accepted) {
            // The program accepted it before it ended; or it freed the frame too, and only its answer was lost.
        }
    }
}
