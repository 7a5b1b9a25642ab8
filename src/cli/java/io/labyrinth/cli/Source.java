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
 * A file that is read past the page cache, straight into frames (O_DIRECT), as long as its file system allows it. Some
 * file systems refuse the opening, some the first read. All refuse a read at a position that is no multiple of a block.
 * After a refusal it is read through the page cache.
 */
final class Source implements Closeable {

    /** From the module jdk.unsupported, by reflection: javac warns of its name. Null if the JDK does not have it. */
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

    /** Reads into the run, from its beginning. Returns the number of bytes, or -1 at the end of the file. */
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
