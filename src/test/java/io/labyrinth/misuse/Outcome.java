package io.labyrinth.misuse;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** The expected end of a program of misuse. */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.METHOD)
@interface Outcome {

    /** What it dies of; {@link Harmless} if it ends by itself. */
    Class<? extends Throwable> type() default Harmless.class;

    /** Parts of the message. */
    String[] says() default {};

    /** Frames that are out when it has ended, and could not be had again; -1 if its labyrinth was closed. */
    int out() default 0;

    /** Whether it changes its JVM for good. */
    boolean ownJvm() default false;

    /** The outcome of what does no harm. */
    final class Harmless extends Throwable {
        private static final long serialVersionUID = 1L;

        private Harmless() {
        }
    }
}
