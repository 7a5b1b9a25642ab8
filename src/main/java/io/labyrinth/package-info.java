/**
 * Labyrinth: a page-frame allocator. Real pages, locked, handed out by one compare-and-set each, to one owner each.
 *
 * <p>Start at {@link io.labyrinth.Labyrinth}. Nothing here is {@code null} unless it says so.
 */
@NullMarked
package io.labyrinth;

import org.jspecify.annotations.NullMarked;
