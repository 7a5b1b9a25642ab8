package io.labyrinth.internal.os;

import io.labyrinth.bindings.Native;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The kernel's word that a mapping is locked, beside what mlock returned: begun before the lock is asked for. It costs
 * two system calls for each 2 MiB of the mapping, and nothing by what else the process has mapped.
 */
public final class LockProof {

    /*
     * MADV_COLD (Linux 5.4) is the one piece of advice whose answer depends on the lock: EINVAL for a mapping that is
     * VM_LOCKED, 0 for one that is not (mm/madvise.c: can_madv_lru_vma), and there it does no more than make pages
     * candidates for a reclaim. So the same call has to answer 0 before the lock and EINVAL after it. A kernel, a
     * sandbox or a filter that does not know it gives both times the same answer, whatever that is, and proves nothing.
     *
     * The lock is a flag of the mapping. That the pages are there is what mlock's own result says: it faults them in
     * and fails if it cannot.
     *
     * Without MADV_COLD the flag is looked up in /proc/self/smaps ("lo" of VmFlags), which has some 30 lines for each
     * mapping of the process; they are read in a fixed buffer, up to ours. The figures there (Rss, Locked) are not
     * asked: Linux 6.1 leaves out of them the huge pages that NUMA balancing has marked, and Locked is this process's
     * share of a shared page.
     */

    private static final Logger LOG = LoggerFactory.getLogger(LockProof.class);

    /** Asked for one by one: a system call that fails in the middle may have left several mappings of one. */
    private static final long CHUNK = 2L << 20;

    private final long start;
    private final long end;
    private final long pageSize;
    private final boolean byAdvice;

    private LockProof(long start, long length, long pageSize) {
        this.start = start;
        this.end = start + length;
        this.pageSize = pageSize;
        // Not so if all mappings of this process are born locked (mlockall(MCL_FUTURE)): unlocked it can be told.
        this.byAdvice = isUnlocked(start) || !Libc.munlock(start, length).failed() && isUnlocked(start);
    }

    /** Before the lock is asked for. */
    public static LockProof before(long start, long length, long pageSize) {
        return new LockProof(start, length, pageSize);
    }

    /** After mlock has granted it: the bytes that are locked. */
    public long lockedBytes() {
        if (!byAdvice) {
            return bySmaps();
        }
        long locked = 0;
        for (long at = start; at < end; at += CHUNK) {
            long next = Math.min(at + CHUNK, end);
            // Its last page as well: mlock goes from the start to the end, so where it stops within the piece, the last
            // page is not locked. If the middle alone were unlocked, this would not tell; mlock leaves no such piece.
            int first = errnoOfAdvice(at);
            int last = errnoOfAdvice(next - pageSize);
            if (first != 0 && first != Native.EINVAL() || last != 0 && last != Native.EINVAL()) {
                return bySmaps();    // that was no answer
            }
            locked += first != 0 && last != 0 ? next - at : 0;
        }
        return locked;
    }

    private boolean isUnlocked(long page) {
        return errnoOfAdvice(page) == 0;
    }

    private int errnoOfAdvice(long page) {
        return Libc.madvise(page, pageSize, Native.MADV_COLD()).errno();
    }

    private long bySmaps() {
        // By its file descriptor, not by a channel, which an interrupt that the caller has pending would close.
        try (InputStream smaps = new FileInputStream("/proc/self/smaps")) {
            Smaps found = new Smaps(start, end);
            byte[] buffer = new byte[8192];
            for (int read = smaps.read(buffer); read > 0 && !found.isPast; read = smaps.read(buffer)) {
                for (int i = 0; i < read && !found.isPast; i++) {
                    found.take(buffer[i]);
                }
            }
            return found.locked;
        } catch (IOException e) {
            LOG.debug("/proc/self/smaps cannot be read", e);
            return 0;
        }
    }

    /** Reads smaps byte by byte: {@code 7f00-8f00 rw-p ...} begins a mapping, {@code VmFlags: rd wr lo} ends it. */
    private static final class Smaps {

        private static final String FLAGS = "VmFlags:";

        private final long start;
        private final long end;
        /** Of the range that is looked for. */
        long locked;
        /** No mapping from here on can be of the range. */
        boolean isPast;

        /** Where in the line the next byte is. */
        private int column;
        /** The address that is being read, while the line may be a mapping's first. */
        private long address;
        private boolean isAddress;
        private long from;
        private long to;
        private boolean isFlags;
        /** The last four characters. */
        private int last;

        Smaps(long start, long end) {
            this.start = start;
            this.end = end;
        }

        void take(byte next) {
            if (next == '\n') {
                takeFlag(next);
                column = 0;
                return;
            }
            if (column == 0) {
                isAddress = Character.digit(next, 16) >= 0 && !Character.isUpperCase(next);
                address = 0;
                isFlags = true;
            }
            if (isAddress) {
                takeAddress(next);
            } else {
                isFlags &= column >= FLAGS.length() || FLAGS.charAt(column) == next;
                takeFlag(next);
            }
            column++;
        }

        private void takeAddress(byte next) {
            if (next == '-') {
                from = address;
                address = 0;
            } else if (next == ' ') {
                to = address;
                isAddress = false;
                isFlags = false;
                isPast = Long.compareUnsigned(from, end) >= 0;
            } else {
                address = address << 4 | Character.digit(next, 16);
            }
        }

        private void takeFlag(byte next) {
            last = last << 8 | next & 0xFF;
            if (isFlags && column > FLAGS.length() && (last == (' ' << 24 | 'l' << 16 | 'o' << 8 | ' ')
                    || last == (' ' << 24 | 'l' << 16 | 'o' << 8 | '\n'))) {
                locked += Math.max(0, Math.min(to, end) - Math.max(from, start));
            }
        }
    }
}
