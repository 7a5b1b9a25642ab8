package io.labyrinth.cli;

/** Says that something that the labyrinth promises does not hold. */
final class Violation extends RuntimeException {

    private static final long serialVersionUID = 1L;

    Violation(String message) {
        super(message);
    }
}
