package io.labyrinth.cli;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.HexFormat;
import java.util.List;
import java.util.Queue;

/** This process reads the files, and a native program hashes them. */
final class ToNative extends Relay {

    private static final Gfp GFP = Gfp.NOWAIT.with(Gfp.EXCLUSIVE).with(Gfp.NOWARN);
    /** The most pieces that may wait for their answers. */
    private static final int AHEAD = 8;

    private final Queue<Long> pending = new ArrayDeque<>();

    ToNative(Labyrinth labyrinth, Path program, List<Path> files, int killIn) {
        super(labyrinth, program, files, killIn);
    }

    @Override
    List<String> arguments(int file) {
        return List.of();
    }

    @Override
    String tried(int file) throws IOException {
        long begun = bytes;
        try (FileChannel channel = open(files.get(file))) {
            int length;
            do {
                length = piece(channel, file);
                mayKill(file);
            } while (length > 0);
            ByteBuffer last;
            do {
                last = answer();
            } while (last.getInt(12) == 0);
            byte[] sum = new byte[SUM_BYTES];
            last.get(16, sum);
            return HexFormat.of().formatHex(sum);
        } catch (Throwable e) {
            bytes = begun;
            throw e;
        }
    }

    private static FileChannel open(Path file) throws IOException {
        try {
            return FileChannel.open(file);
        } catch (IOException e) {
            throw new IOException(file + ": " + Failures.describe(e));
        }
    }

    /** Reads one piece and passes it on. Returns its length, 0 at the end of the file. */
    private int piece(FileChannel channel, int file) throws IOException {
        Frame frame = labyrinth.allocPages(GFP, ORDER);
        while (frame == null) {
            if (pending.isEmpty()) {
                throw new IOException("order=" + ORDER + ": no such run is free, and none will come back: ask for more"
                        + " frames");
            }
            answer();
            frame = labyrinth.allocPages(GFP, ORDER);
        }
        int length;
        try {
            length = channel.read(frame.segment().asByteBuffer());
        } catch (IOException e) {
            frame.close();
            throw e;
        }
        long ticket = 0;
        if (length > 0) {
            ticket = frame.handOff().handle();
        } else {
            frame.close();
            length = 0;
        }
        bytes += length;
        pending.add(ticket);
        write(record(PIECE_BYTES).putLong(ticket).putInt(file).putInt(length));
        while (pending.size() > AHEAD) {
            answer();
        }
        return length;
    }

    private ByteBuffer answer() throws Gone {
        ByteBuffer answer = read(ANSWER_BYTES);
        pending.remove();
        return answer;
    }

    @Override
    void takeBack() {
        pending.stream().filter(ticket -> ticket != 0).forEach(this::free);
        pending.clear();
    }
}
