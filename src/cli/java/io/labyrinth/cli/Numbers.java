package io.labyrinth.cli;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.lang.reflect.AnnotatedElement;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/**
 * The numbers that options take. A text that is no number, a number too large for a {@code long}, and a number out of
 * range get the same answer.
 */
final class Numbers {

    /** The least and the most that an option takes. */
    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.FIELD)
    @interface Within {
        long least();

        long most();
    }

    private Numbers() {
    }

    /** Refuses the first option that is out of its range. */
    static void check(ParseResult all) {
        ParseResult parsed = all;
        while (parsed.hasSubcommand()) {
            parsed = parsed.subcommand();
        }
        for (OptionSpec option : parsed.matchedOptions()) {
            Within range = rangeOf(option);
            if (range != null) {
                long value = option.<Number>getValue().longValue();
                if (value < range.least() || value > range.most()) {
                    throw new ParameterException(parsed.commandSpec().commandLine(), refusal(option, value, range));
                }
            }
        }
    }

    /** The answer to an option's value that is no number; null if the mistake is another one. */
    static @Nullable String refusal(ParameterException mistake) {
        Within range = mistake.getValue() == null ? null : rangeOf(mistake.getArgSpec());
        return range == null ? null : refusal((OptionSpec) mistake.getArgSpec(), mistake.getValue(), range);
    }

    private static String refusal(OptionSpec option, Object value, Within range) {
        return option.longestName().substring("--".length()) + "=" + value + " limit=" + range.most()
                + ": ask for a whole number from " + range.least() + " to " + range.most();
    }

    private static @Nullable Within rangeOf(@Nullable ArgSpec arg) {
        return arg instanceof OptionSpec && arg.userObject() instanceof AnnotatedElement field
                ? field.getAnnotation(Within.class) : null;
    }
}
