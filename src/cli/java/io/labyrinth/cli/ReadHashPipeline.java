package io.labyrinth.cli;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.Ticket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.jspecify.annotations.Nullable;

/** Two threads: a reader reads files into frames, and a hasher gets these frames, hashes them and frees them. */
final class ReadHashPipeline implements AutoCloseable {

    /*
     * SHA-256 of a file is one sequence, so each reader has a hasher of its own. The queue between the two has no
     * bound: the labyrinth is the bound. A reader that gets null waits until a frame comes back. It does not wait for
     * ever: a reader that waits holds no frame, so all frames are on their way to hashers, and a hasher needs nothing
     * more to free them.
     *
     * At most the size that the file had at its opening is read, so a file that grows faster than it is read has an end
     * too. If at the end the path leads to another file, or size or time have changed, the file fails. So a printed sum
     * is true. A size of 0 is no promise (/proc): such a file is read to its end.
     */

    /** 1 allocation in so many is watched: that costs a few microseconds for each 16 reads. */
    static final int WATCHED = 16;

    private final Labyrinth labyrinth;
    private final Gfp gfp;
    private final int order;
    private final FrameReturns returns;
    private final BlockingQueue<Part> parts = new LinkedBlockingQueue<>();
    private @Nullable Meter meter;
    long direct;
    long buffered;

    /**
     * What the reader tells the hasher: bytes of a file and their ticket; or no ticket, if the file has ended, well or
     * with a failure.
     */
    private record Part(@Nullable DigestFile file, @Nullable Ticket ticket, int bytes, @Nullable String failure) {
        static final Part LAST = new Part(null, null, 0, null);
    }

    ReadHashPipeline(Labyrinth labyrinth, Gfp gfp, int order, FrameReturns returns) {
        this.labyrinth = labyrinth;
        this.gfp = gfp;
        this.order = order;
        this.returns = returns;
    }

    /** The reader's meter. There is one as soon as the reader has begun. */
    Meter meter() {
        if (meter == null) {
            throw new IllegalStateException("the reader has not begun");
        }
        return meter;
    }

    /** All that the reader's thread does. */
    void read(BlockingQueue<DigestFile> files, Runnable begun) throws IOException, InterruptedException {
        Meter mine = new Meter(labyrinth.frameSize(), WATCHED);
        meter = mine;
        begun.run();
        for (DigestFile file = files.take(); file != DigestFile.END; file = files.take()) {
            String failure;
            try {
                failure = read(file, file.pathToRead(), mine);
            } catch (IOException e) {
                failure = Failures.describe(e);
            }
            parts.add(new Part(file, null, 0, failure));
        }
        files.add(DigestFile.END);
        parts.add(Part.LAST);
    }

    /** @return what went wrong, or null */
    private @Nullable String read(DigestFile file, Path path, Meter mine) throws IOException, InterruptedException {
        BasicFileAttributes before = Files.readAttributes(path, BasicFileAttributes.class);
        if (!before.isRegularFile()) {
            return "not a file any more";
        }
        try (Source source = new Source(path)) {
            long left = before.size() == 0 ? Long.MAX_VALUE : before.size();
            while (left > 0) {
                Part part = fill(file, source, left, mine);
                if (part == null) {
                    break;
                }
                left -= part.bytes;
                parts.add(part);
            }
            if (source.isDirect()) {
                direct++;
            } else {
                buffered++;
            }
        }
        try {
            BasicFileAttributes after = Files.readAttributes(path, BasicFileAttributes.class);
            boolean same = after.size() == before.size() && after.lastModifiedTime().equals(before.lastModifiedTime())
                    && after.fileKey().equals(before.fileKey());
            return same ? null : "changed while it was read: size=" + before.size() + ", then size=" + after.size();
        } catch (NoSuchFileException e) {
            return "vanished while it was read";
        }
    }

    /** Reads into a new frame and hands it off; null at the end of the file. */
    private @Nullable Part fill(DigestFile file, Source source, long left, Meter mine) throws IOException,
            InterruptedException {
        Frame frame = take(mine);
        Ticket ticket = null;
        try {
            int bytes = source.read(frame.segment().asByteBuffer());
            if (bytes <= 0) {
                return null;
            }
            ticket = frame.handOff();
            return new Part(file, ticket, (int) Math.min(bytes, left), null);
        } finally {
            if (ticket == null) {
                frame.close();
                returns.add();
            }
        }
    }

    private Frame take(Meter mine) throws InterruptedException {
        while (true) {
            long seen = returns.soFar();
            Frame frame = mine.alloc(labyrinth, gfp, order);
            if (frame != null) {
                return frame;
            }
            returns.awaitMoreThan(seen);
        }
    }

    /** All that the hasher's thread does. */
    void hash() throws Exception {
        MessageDigest sha = MessageDigest.getInstance("SHA-256");
        long bytes = 0;
        for (Part part = parts.take(); part.file != null; part = parts.take()) {
            if (part.ticket != null) {
                try (Frame frame = part.ticket.accept()) {
                    sha.update(frame.segment().asByteBuffer().limit(part.bytes));
                }
                returns.add();
                bytes += part.bytes;
            } else {
                byte[] sum = sha.digest();
                part.file.done(part.failure == null ? HexFormat.of().formatHex(sum) : null, bytes, part.failure);
                bytes = 0;
            }
        }
    }

    @Override
    public void close() throws IOException {
        if (meter != null) {
            meter.close();
        }
    }
}
