package io.labyrinth.cli;

import java.util.Locale;

/** A number and its noun, which agree: {@code 1 file}, {@code 1,024 files}. */
final class Count {

    private Count() {
    }

    /** @param noun in the singular; its plural ends with a plain s */
    static String of(long number, String noun) {
        return String.format(Locale.ROOT, "%,d %s%s", number, noun, number == 1 ? "" : "s");
    }
}
