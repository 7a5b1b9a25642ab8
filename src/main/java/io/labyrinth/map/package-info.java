/**
 * The picture of a labyrinth as text, as PNG, and as a page that refreshes. The labyrinth is one of this process, or a
 * shared one ({@link io.labyrinth.LabyrinthMap#of(java.nio.file.Path)}). The page needs the module
 * {@code jdk.httpserver}. Text and PNG need only {@code java.base}.
 */
@NullMarked
package io.labyrinth.map;

import org.jspecify.annotations.NullMarked;
