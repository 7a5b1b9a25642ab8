package io.labyrinth.fuzz;

import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.labyrinth_advice;
import io.labyrinth.bindings.labyrinth_tenant;
import io.labyrinth.internal.os.Header;
import io.labyrinth.internal.os.Libc;
import io.labyrinth.internal.pagemap.Geometry;
import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/**
 * Files of shared labyrinths with a right header. Tenants that have died have used them. Some words, advice or slots
 * hold arbitrary values. The same seed always gives the same files. All other bytes are filled with words of the dead,
 * to mislead code that looks there. These bytes must stay as they are.
 */
final class WholeImages {

    private static final int[] DEAD = {2, 3, 9, 255};
    private static final int WORD_BYTES = 2 * Long.BYTES;

    final Header header;
    final MemorySegment memory;
    private final SplittableRandom random;
    private final long words;
    private final long wordsEnd;
    private final long advice;
    private final long adviceEnd;

    /** An image of its own arena; of so many frames. */
    WholeImages(Arena arena, int frames, long seed) {
        random = new SplittableRandom(seed);
        int reserve = random.nextInt(3) == 0 ? 0 : random.nextInt(Math.min(frames, 40));
        long first = random.nextInt(8) == 0 ? PageWord.LAST_GENERATION - 1 : 1 + random.nextLong(1L << 32);
        header = Header.plan("whole", frames, reserve, Libc.pageSize(), first);
        memory = arena.allocate(header.fileBytes(), Libc.pageSize());
        words = header.pageMapOffset();
        wordsEnd = words + (long) frames * WORD_BYTES;
        advice = words + (frames * WORD_BYTES + 63L) / 64 * 64;
        adviceEnd = words + Geometry.bytesFor(frames);
        fill();
        header.write(memory);
        memory.set(ValueLayout.JAVA_LONG, 0, Native.LABYRINTH_MAGIC());
        for (int tenant : DEAD) {
            labyrinth_tenant.state(slot(tenant), Native.LABYRINTH_TENANT());
            labyrinth_tenant.pid(slot(tenant), 1);
        }
        tile();
        int spoilt = random.nextInt(10) == 0 ? frames : 1 + random.nextInt(6);
        for (int i = 0; i < spoilt; i++) {
            spoil();
        }
    }

    private MemorySegment slot(int tenant) {
        return memory.asSlice(header.tenantsOffset() + tenant * labyrinth_tenant.sizeof(), labyrinth_tenant.sizeof());
    }

    private long get(long at) {
        return memory.get(ValueLayout.JAVA_LONG, at);
    }

    private void set(long at, long value) {
        memory.set(ValueLayout.JAVA_LONG, at, value);
    }

    private int dead() {
        return DEAD[random.nextInt(DEAD.length)];
    }

    private long word(int state, int order, int tenant, int flags) {
        return header.firstGeneration() + random.nextInt(2) << Native.LABYRINTH_GENERATION_SHIFT()
                | (long) tenant << Native.LABYRINTH_TENANT_SHIFT() | (long) flags << Native.LABYRINTH_FLAGS_SHIFT()
                | order << Native.LABYRINTH_ORDER_SHIFT() | state;
    }

    private static long owner(long thread, long word) {
        return thread | (word >>> Native.LABYRINTH_GENERATION_SHIFT()) << Native.LABYRINTH_OWNER_ID_BITS()
                & Long.MAX_VALUE;
    }

    /** What nobody may touch: the words' padding, what comes behind the advice, the first of each frame's bytes. */
    private void fill() {
        for (long at = wordsEnd; at < advice; at += WORD_BYTES) {
            setGuard(at);
        }
        for (long at = adviceEnd; at < header.framesOffset(); at += WORD_BYTES) {
            setGuard(at);
        }
        for (long at = header.framesOffset(); at < header.fileBytes(); at += Libc.pageSize()) {
            for (long line = 0; line < 8; line++) {
                setGuard(at + line * WORD_BYTES);
            }
        }
    }

    private void setGuard(long at) {
        long word = word(random.nextBoolean() ? PageWord.HEAD : PageWord.IN_TRANSIT, random.nextInt(3), dead(), 0);
        set(at, word);
        set(at + Long.BYTES, owner(7, word));
    }

    private void tile() {
        int pfn = 0;
        while (pfn < header.frames()) {
            int order = Math.min(random.nextInt(PageWord.MAX_ORDER + 1), random.nextInt(PageWord.MAX_ORDER + 1));
            int limit = pfn < header.frames() - header.reserve() ? header.frames() - header.reserve() : header.frames();
            while ((pfn & (1 << order) - 1) != 0 || pfn + (1 << order) > limit) {
                order--;
            }
            int flags = random.nextInt(4);
            long word = switch (random.nextInt(8)) {
                case 0, 1 -> word(PageWord.HEAD, order, dead(), flags == 2 ? 0 : flags);
                case 2 -> word(PageWord.IN_TRANSIT, order, dead(), flags == 2 ? 0 : flags);
                case 3 -> word(PageWord.QUARANTINED, order, 0, 0);
                default -> word(PageWord.FREE, order, 0, 0);
            };
            put(pfn, word);
            for (int tail = pfn + 1; tail < pfn + (1 << order); tail++) {
                put(tail, word(PageWord.TAIL, 0, 0, 0));
            }
            pfn += 1 << order;
        }
        for (long at = advice; at < adviceEnd; at += labyrinth_advice.sizeof()) {
            set(at, 1);
        }
    }

    private void put(int pfn, long word) {
        set(words + (long) pfn * WORD_BYTES, word);
        set(words + (long) pfn * WORD_BYTES + Long.BYTES, owner(1 + random.nextInt(50), word));
    }

    private void spoil() {
        int last = random.nextInt(3) == 0 ? Math.min(header.frames(), 4) : header.frames();
        int pfn = header.frames() - 1 - random.nextInt(last);
        long at = words + (long) pfn * WORD_BYTES;
        switch (random.nextInt(14)) {
            case 0 -> set(at, random.nextLong());
            case 1, 2, 3 -> set(at, get(at) & ~0xF0L | random.nextInt(16) << Native.LABYRINTH_ORDER_SHIFT());
            case 4 -> set(at, get(at) & ~0xFL | random.nextInt(16));
            case 5 -> set(at, get(at) & ~0xFF0000L | (long) random.nextInt(256) << Native.LABYRINTH_TENANT_SHIFT());
            case 6, 7 -> put(pfn, word(random.nextInt(6), random.nextInt(16), dead(), random.nextInt(256)));
            case 8 -> set(at, get(at) & 0xFFFFFF | (random.nextBoolean() ? -1L << Native.LABYRINTH_GENERATION_SHIFT()
                    : 0));
            case 9 -> set(at + Long.BYTES, random.nextBoolean() ? random.nextLong() : -1);
            case 10 -> put(pfn, get(words + (long) random.nextInt(header.frames()) * WORD_BYTES));
            case 11 -> set(advice + random.nextLong((adviceEnd - advice) / 64) * 64,
                    random.nextInt(3) == 0 ? random.nextLong() : random.nextInt(3));
            case 12 -> set(header.tenantsOffset() + random.nextLong(256 * labyrinth_tenant.sizeof() / Long.BYTES)
                    * Long.BYTES, random.nextBoolean() ? random.nextLong() : random.nextInt(4));
            default -> {
                MemorySegment slot = slot(dead());
                for (long field = 0; field < slot.byteSize(); field += Long.BYTES) {
                    slot.set(ValueLayout.JAVA_LONG, field, random.nextBoolean() ? random.nextLong()
                            : random.nextInt(4) - 1);
                }
            }
        }
    }

    /** Where {@code now} differs from this image in what nobody may touch; -1: nowhere. */
    long touched(MemorySegment now) {
        long[] parts = {0, header.tenantsOffset(), wordsEnd, advice, adviceEnd, header.fileBytes()};
        for (int part = 0; part < parts.length; part += 2) {
            long differs = now.asSlice(parts[part], parts[part + 1] - parts[part])
                    .mismatch(memory.asSlice(parts[part], parts[part + 1] - parts[part]));
            if (differs >= 0) {
                return parts[part] + differs;
            }
        }
        return -1;
    }
}
