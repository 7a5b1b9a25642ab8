/**
 * Closings that fail. Any system call of a close fails, an error strikes in any of its calls, or the heap or the stack
 * is at its end. Before the point of no return the labyrinth is as it was, and after it the next close goes on. In the
 * end nothing is mapped, locked or open. A tenant may also close while its threads are at work.
 */
package io.labyrinth.closing;
