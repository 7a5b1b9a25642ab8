/**
 * The lowest layer: the words of the page map, and the policy of looking for free ones. It gets its memory as a segment
 * and asks nobody for anything: no input or output, no clock, no logger, no native call. Not exported.
 *
 * <p>Read {@code PageWord} (what a word says), then {@code PageMap} (every atomic step), then {@code Zone} (where a
 * request looks). {@code Advice} says where something may be free, {@code Orphans} keeps what an error left between two
 * steps, and {@code PageMapScan} passes over all words.
 */
@NullMarked
package io.labyrinth.internal.pagemap;

import org.jspecify.annotations.NullMarked;
