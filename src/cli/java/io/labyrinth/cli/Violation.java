package io.labyrinth.cli;

/** Something that the labyrinth promises did not hold. */
final class Violation extends RuntimeException {

    private static final long serialVersionUID = 1L;

    Violation(String message) {
        super(message);
    }
}
