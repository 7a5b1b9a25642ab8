/**
 * A labyrinth as a managed bean, in the style of {@link java.lang.management.BufferPoolMXBean}. Needs the module
 * {@code java.management}; nothing else of the library does.
 */
@NullMarked
package io.labyrinth.jmx;

import org.jspecify.annotations.NullMarked;
