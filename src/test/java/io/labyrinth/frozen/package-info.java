/**
 * Frozen threads. A thread stops at any store, load or compare-and-set of any step, and all others go on: they take,
 * hand over, sweep and close. A frozen thread stops no other, nobody gets what it holds, and nothing is lost.
 */
package io.labyrinth.frozen;
