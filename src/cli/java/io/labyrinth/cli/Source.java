package io.labyrinth.cli;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/**
 * A file that is read past the page cache, straight into frames (O_DIRECT), as long as its file system allows it: some
 * refuse to open it so, some the first read, all to go on from a position that is no multiple of a block.
 */
final class Source implements Closeable {

    /** Of the module jdk.unsupported, and not to be named without a warning; null where a JDK has it no more. */
    private static final @Nullable OpenOption DIRECT = direct();

    private final Path path;
    private FileChannel channel;
    private boolean direct;
    private long position;

    Source(Path path) throws IOException {
        this.path = path;
        if (DIRECT == null) {
            channel = FileChannel.open(path, StandardOpenOption.READ);
            return;
        }
        try {
            channel = FileChannel.open(path, StandardOpenOption.READ, DIRECT);
            direct = true;
        } catch (NoSuchFileException | AccessDeniedException e) {
            throw e;
        } catch (IOException | UnsupportedOperationException e) {
            channel = FileChannel.open(path, StandardOpenOption.READ);
        }
    }

    private static @Nullable OpenOption direct() {
        try {
            return (OpenOption) Class.forName("com.sun.nio.file.ExtendedOpenOption").getField("DIRECT").get(null);
        } catch (ReflectiveOperationException e) {
            return null;
        }
    }

    /** Whether all of it was read past the page cache. */
    boolean isDirect() {
        return direct;
    }

    /** Fills a part of the run, from its beginning: so many bytes, or -1 at the end of the file. */
    int read(ByteBuffer run) throws IOException {
        int bytes;
        try {
            bytes = channel.read(run, position);
        } catch (ClosedByInterruptException e) {
            throw e;
        } catch (IOException e) {
            if (!direct) {
                throw e;
            }
            direct = false;
            channel.close();
            channel = FileChannel.open(path, StandardOpenOption.READ);
            bytes = channel.read(run.clear(), position);
        }
        position += Math.max(bytes, 0);
        return bytes;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
