package io.labyrinth.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import org.jspecify.annotations.Nullable;

/** Standard output: its failures are told from all others; the first is kept, as a {@code PrintWriter} is silent. */
final class StandardOutput extends OutputStream {

    private final OutputStream out = new FileOutputStream(FileDescriptor.out);
    private @Nullable Lost lost;

    /** Standard output takes no more. */
    static final class Lost extends IOException {

        private static final long serialVersionUID = 1L;

        Lost(IOException cause) {
            super("standard output: " + cause.getMessage(), cause);
        }

        /** Nobody reads the pipe any more: no fault, and nobody to tell. */
        boolean isReaderGone() {
            return "standard output: Broken pipe".equals(getMessage());
        }
    }

    /** Why not all that was written has gone out; null if all has. */
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
            // What came through now would follow a gap.
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
