package io.labyrinth.misuse;

import io.labyrinth.Labyrinth;

/** A program that has not the right to call native code; not one of {@link Program}, as those open a labyrinth. */
final class Denied {

    private Denied() {
    }

    public static void main(String[] args) {
        Labyrinth.builder("denied").open();
    }
}
