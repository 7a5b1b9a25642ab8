package io.labyrinth.internal.os;

import io.labyrinth.bindings.Native;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Proves that a mapping is locked, in addition to the result of mlock. The proof begins before the lock is requested.
 * It costs two system calls for each 2 MiB of the mapping. What else the process has mapped does not matter.
 */
public final class LockProof {

    /*
     * The answer to MADV_COLD (Linux 5.4) depends on the lock, and no other advice does this. The answer is EINVAL for
     * a mapping that is VM_LOCKED, and 0 for one that is not (mm/madvise.c: can_madv_lru_vma). On an unlocked mapping
     * it only makes pages candidates for a reclaim. So the same call must answer 0 before the lock and EINVAL after it.
     * A kernel, a sandbox or a filter that does not know the advice gives the same answer both times. That proves
     * nothing, whatever the answer is.
     *
     * The lock is a flag of the mapping. It does not say that the pages are present. The result of mlock says that: it
     * faults the pages in, and fails if it cannot.
     *
     * Without MADV_COLD the flag is looked up in /proc/self/smaps ("lo" of VmFlags). This file has about 30 lines for
     * each mapping of the process. They are read in a fixed buffer, as far as this mapping. The figures there (Rss,
     * Locked) are not used: Linux 6.1 leaves out of them the huge pages that NUMA balancing has marked, and Locked is
     * only this process's share of a shared page.
     */

    private static final Logger LOG = LoggerFactory.getLogger(LockProof.class);

    /** Each chunk is checked: a system call that fails in the middle may have split the mapping into several. */
    private static final long CHUNK = 2L << 20;

    private final long start;
    private final long end;
    private final long pageSize;
    private final boolean byAdvice;

    private LockProof(long start, long length, long pageSize) {
        this.start = start;
        this.end = start + length;
        this.pageSize = pageSize;
        // After mlockall(MCL_FUTURE) every new mapping is locked already. It is unlocked here, so that 0 can be seen.
        this.byAdvice = isUnlocked(start) || !Libc.munlock(start, length).failed() && isUnlocked(start);
    }

    /** Begins a proof, before the lock is requested. */
    public static LockProof before(long start, long length, long pageSize) {
        return new LockProof(start, length, pageSize);
    }

    /** The number of locked bytes, after mlock has granted the lock. */
    public long lockedBytes() {
        if (!byAdvice) {
            return bySmaps();
        }
        long locked = 0;
        for (long at = start; at < end; at += CHUNK) {
            long next = Math.min(at + CHUNK, end);
            // The last page is checked as well: mlock goes from the start to the end. If it stops within the chunk, the
            // last page is not locked. A chunk of which only the middle is unlocked would be missed. mlock leaves none.
            int first = errnoOfAdvice(at);
            int last = errnoOfAdvice(next - pageSize);
            if (first != 0 && first != Native.EINVAL() || last != 0 && last != Native.EINVAL()) {
                return bySmaps();    // another errno says nothing of the lock
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
        // A stream, not a channel: a pending interrupt of the caller would close a channel.
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
        /** Locked bytes in the range. */
        long locked;
        /** From here on, no mapping can overlap the range. */
        boolean isPast;

        /** The column of the next byte in its line. */
        private int column;
        /** The address that is being read, as long as the line may be the first one of a mapping. */
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
