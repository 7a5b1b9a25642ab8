/**
 * Lincheck. Claims, frees, hand-overs and accepts of the shipped page map are linearizable. A planted race must be
 * found.
 */
package io.labyrinth.lincheck;
