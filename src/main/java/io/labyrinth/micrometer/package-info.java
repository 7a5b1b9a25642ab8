/**
 * A labyrinth's figures as Micrometer's meters. Needs {@code io.micrometer:micrometer-core}; nothing else of the
 * library does.
 */
@NullMarked
package io.labyrinth.micrometer;

import org.jspecify.annotations.NullMarked;
