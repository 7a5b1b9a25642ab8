package io.labyrinth.model;

import io.labyrinth.internal.pagemap.PageWord;

/** Turns bytes into arguments that no sane caller would give. After the last byte it reads zeros. */
final class Hostile {

    private static final String[] WORDS = {"ATOMIC", "NOWAIT", "HIGH", "ZERO", "EXCLUSIVE", "NOMEMALLOC", "NOWARN",
        "ATOMIC_EXCLUSIVE", "KERNEL", "DIRECT_RECLAIM", "NOFAIL", "GFP_", "__", "|", "+", ",", " ", "", "\u0000", "i"};

    private final byte[] bytes;
    private int at;

    Hostile(byte[] bytes) {
        this.bytes = bytes;
    }

    boolean more() {
        return at < bytes.length;
    }

    int next() {
        return at < bytes.length ? bytes[at++] & 0xff : 0;
    }

    int below(int bound) {
        return next() % bound;
    }

    /** Small ones, powers of two and their neighbours, extremes, and anything. */
    long number() {
        int kind = next();
        long power = 1L << (kind >>> 3);
        return switch (kind & 7) {
            case 0 -> next();
            case 1 -> -next();
            case 2 -> power;
            case 3 -> power - 1;
            case 4 -> power + 1;
            case 5 -> power << 32 | next();
            case 6 -> (kind & 8) == 0 ? Long.MIN_VALUE : Long.MAX_VALUE;
            default -> anything();
        };
    }

    private long anything() {
        long all = 0;
        for (int i = 0; i < Long.BYTES; i++) {
            all = all << 8 | next();
        }
        return all;
    }

    /** The handle, or one that looks like it. */
    long handleLike(long handle) {
        int kind = next();
        return switch (kind & 7) {
            case 0 -> handle ^ 1L << (kind >>> 3);
            case 1 -> handle ^ 1L << 32 + (kind >>> 3);
            case 2 -> handle + (kind >>> 3);
            case 3 -> PageWord.nextGeneration(handle);
            case 4 -> number();
            default -> handle;
        };
    }

    String text() {
        StringBuilder text = new StringBuilder();
        for (int parts = below(5); parts > 0; parts--) {
            int part = next();
            text.append(part < 128 ? WORDS[part % WORDS.length] : String.valueOf((char) next()));
        }
        return text.toString();
    }
}
