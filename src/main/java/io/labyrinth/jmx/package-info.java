/**
 * A labyrinth as a managed bean, in the style of {@link java.lang.management.BufferPoolMXBean}. This package needs the
 * module {@code java.management}.
 */
@NullMarked
package io.labyrinth.jmx;

import org.jspecify.annotations.NullMarked;
