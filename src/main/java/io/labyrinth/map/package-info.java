/**
 * The picture of a labyrinth: text, PNG, and a page that refreshes, of a live one in this process or of a shared one
 * ({@link io.labyrinth.LabyrinthMap#of(java.nio.file.Path)}). The page needs the module {@code jdk.httpserver}, all
 * else {@code java.base} alone.
 */
@NullMarked
package io.labyrinth.map;

import org.jspecify.annotations.NullMarked;
