/**
 * Errors anywhere. The stack ends at each depth, the heap is full, or an error strikes in each call of each step: of
 * frames, handles, arenas and slabs. No frame and no object is lost.
 */
package io.labyrinth.struck;
