package io.labyrinth.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import org.jspecify.annotations.Nullable;

/**
 * Standard output. Its failures have a type of their own. The first one is kept, because a {@code PrintWriter} says
 * nothing of it.
 */
final class StandardOutput extends OutputStream {

    private final OutputStream out = new FileOutputStream(FileDescriptor.out);
    private @Nullable Lost lost;

    /** Says that standard output takes no more. */
    static final class Lost extends IOException {

        private static final long serialVersionUID = 1L;

        Lost(IOException cause) {
            super("standard output: " + cause.getMessage(), cause);
        }

        /** Whether nobody reads the pipe any more. That is no failure, and nobody is there to be told. */
        boolean isReaderGone() {
            return "standard output: Broken pipe".equals(getMessage());
        }
    }

    /** Why not all of the output was written; null if all was. */
    @Nullable Lost lost() {
        return lost;
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b});
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        if (lost != null) {
            // If a write succeeded now, its bytes would come after a gap.
            throw lost;
        }
        try {
            out.write(bytes, offset, length);
        } catch (IOException e) {
            lost = new Lost(e);
            throw lost;
        }
    }
}
