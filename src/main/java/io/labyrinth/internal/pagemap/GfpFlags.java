package io.labyrinth.internal.pagemap;

/** The flags of a request: one bit for each flag, with the names of {@code Gfp}. */
public final class GfpFlags {

    public static final int HIGH = 1;
    public static final int ZERO = 1 << 1;
    public static final int EXCLUSIVE = 1 << 2;
    public static final int NOMEMALLOC = 1 << 3;
    public static final int NOWARN = 1 << 4;
    /** A short walk. It ends in the reserve, so it is never alone: {@link #ATOMIC}. */
    public static final int SPRINT = 1 << 5;
    public static final int ALL = (1 << 6) - 1;
    /** Not a flag of a request. Added if an object is made for the run, so that only the object can end the run. */
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

    /** The flags of a word that is claimed with these bits. Each flag is one bit in both, so a product is a shift. */
    public static long wordFlags(int bits) {
        return (bits & EXCLUSIVE) * (PageWord.EXCLUSIVE / EXCLUSIVE) + (bits & FRAMED) * (PageWord.FRAMED / FRAMED);
    }

    /** The flags by name, without {@link #FRAMED}. */
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
