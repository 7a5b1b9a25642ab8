package io.labyrinth.cli;

import io.labyrinth.Frame;
import io.labyrinth.Labyrinth;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** A native program reads the files, and this process hashes them. */
final class FromNative extends Relay {

    FromNative(Labyrinth labyrinth, Path program, List<Path> files, int killIn) {
        super(labyrinth, program, files, killIn);
    }

    @Override
    List<String> arguments(int file) {
        List<String> arguments = new ArrayList<>(List.of(String.valueOf(file)));
        files.subList(file, files.size()).forEach(path -> arguments.add(path.toString()));
        return arguments;
    }

    @Override
    String tried(int file) throws IOException {
        MessageDigest digest = sha256();
        long begun = bytes;
        try {
            while (true) {
                ByteBuffer piece = read(PIECE_BYTES);
                long ticket = piece.getLong(0);
                int length = piece.getInt(12);
                if (piece.getInt(8) != file) {
                    throw new IOException("file=" + piece.getInt(8) + " wanted=" + file + ": the program sent a piece"
                            + " of another file");
                }
                if (length > 0) {
                    try (Frame frame = labyrinth.accept(ticket)) {
                        digest.update(frame.segment().asSlice(0, length).asByteBuffer());
                    }
                    bytes += length;
                }
                mayKill(file);
                write(record(ANSWER_BYTES).putLong(ticket).putInt(file).putInt(length == 0 ? 1 : 0));
                if (length == 0) {
                    return HexFormat.of().formatHex(digest.digest());
                }
            }
        } catch (Throwable e) {
            bytes = begun;
            throw e;
        }
    }

    /** Does nothing: tickets in the pipe are still the dead program's, and the sweep frees their frames. */
    @Override
    void takeBack() {
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has it", e);
        }
    }
}
