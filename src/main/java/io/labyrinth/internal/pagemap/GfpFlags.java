package io.labyrinth.internal.pagemap;

/** What the bits of a request say: one bit a flag, as {@code Gfp} names them. */
public final class GfpFlags {

    public static final int HIGH = 1;
    public static final int ZERO = 1 << 1;
    public static final int EXCLUSIVE = 1 << 2;
    public static final int NOMEMALLOC = 1 << 3;
    public static final int NOWARN = 1 << 4;
    /** A short walk. It ends in the reserve, so it is never alone: {@link #ATOMIC}. */
    public static final int SPRINT = 1 << 5;
    public static final int ALL = (1 << 6) - 1;
    /** Not a request's flag: whoever makes an object for the run adds it, so that the object alone can end the run. */
    public static final int FRAMED = 1 << 6;

    public static final int NOWAIT = 0;
    public static final int ATOMIC = HIGH | SPRINT;

    private static final String[] NAMES = {"HIGH", "ZERO", "EXCLUSIVE", "NOMEMALLOC", "NOWARN", "SPRINT"};

    private GfpFlags() {
    }

    public static boolean mayUseReserve(int bits) {
        return (bits & HIGH) != 0;
    }

    public static boolean isZeroed(int bits) {
        return (bits & ZERO) != 0;
    }

    public static boolean isExclusive(int bits) {
        return (bits & EXCLUSIVE) != 0;
    }

    public static boolean isQuiet(int bits) {
        return (bits & NOWARN) != 0;
    }

    public static boolean isSprint(int bits) {
        return (bits & SPRINT) != 0;
    }

    /** The flag bits of a page word claimed with this: shifts, as each is one bit here and there. */
    public static long wordFlags(int bits) {
        return (bits & EXCLUSIVE) * (PageWord.EXCLUSIVE / EXCLUSIVE) + (bits & FRAMED) * (PageWord.FRAMED / FRAMED);
    }

    /** The flags by name; {@link #FRAMED} is none of them. */
    public static String describe(int bits) {
        int rest = bits & ALL;
        if (rest == NOWAIT) {
            return "NOWAIT";
        }
        StringBuilder text = new StringBuilder();
        if ((rest & ATOMIC) == ATOMIC) {
            text.append("ATOMIC");
            rest &= ~ATOMIC;
        }
        for (int i = 0; i < NAMES.length; i++) {
            if ((rest & 1 << i) != 0) {
                text.append(text.isEmpty() ? "" : "|").append(NAMES[i]);
            }
        }
        return text.toString();
    }
}
