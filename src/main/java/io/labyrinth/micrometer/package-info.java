/**
 * A labyrinth's figures as Micrometer's meters. This package needs {@code io.micrometer:micrometer-core}. The rest of
 * the library does not.
 */
@NullMarked
package io.labyrinth.micrometer;

import org.jspecify.annotations.NullMarked;
