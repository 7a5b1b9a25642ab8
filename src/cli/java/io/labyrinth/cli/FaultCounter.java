package io.labyrinth.cli;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;

/** Page faults, as the kernel counts them: those of the calling thread, or of the process. */
final class FaultCounter implements AutoCloseable {

    /** Places in {@code /proc/PID/stat} after the command's name: see proc_pid_stat(5). */
    private static final int MINOR = 7;
    private static final int MAJOR = 9;

    private final RandomAccessFile stat;
    private final byte[] text = new byte[1024];

    private FaultCounter(String path) throws IOException {
        stat = new RandomAccessFile(path, "r");
    }

    static FaultCounter ofThisThread() throws IOException {
        return new FaultCounter("/proc/thread-self/stat");
    }

    static Count ofProcess() throws IOException {
        try (FaultCounter counter = new FaultCounter("/proc/self/stat")) {
            return counter.now();
        }
    }

    /** Minor: the page was in memory, but not mapped. Major: it had to be read. */
    record Count(long minor, long major) {
        Count since(Count earlier) {
            return new Count(minor - earlier.minor, major - earlier.major);
        }

        long both() {
            return minor + major;
        }
    }

    /** Minor and major faults so far. */
    Count now() throws IOException {
        return parse(text, read(text));
    }

    /** Fills a buffer, to be parsed later. Allocates nothing, because an allocation could fault. */
    int read(byte[] into) throws IOException {
        stat.seek(0);
        return stat.read(into);
    }

    static Count parse(byte[] text, int length) {
        String stat = new String(text, 0, length, StandardCharsets.ISO_8859_1);
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return new Count(Long.parseLong(fields[MINOR]), Long.parseLong(fields[MAJOR]));
    }

    @Override
    public void close() throws IOException {
        stat.close();
    }
}
