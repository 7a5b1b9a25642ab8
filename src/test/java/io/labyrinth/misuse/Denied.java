package io.labyrinth.misuse;

import io.labyrinth.Labyrinth;

/**
 * A program that does not have the right to call native code. It is not a {@link Program}, because those open a
 * labyrinth.
 */
final class Denied {

    private Denied() {
    }

    public static void main(String[] args) {
        Labyrinth.builder("denied").open();
    }
}
