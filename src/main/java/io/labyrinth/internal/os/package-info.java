/**
 * The layer in the middle: the system and the JVM around a labyrinth. What is mapped and locked, the file that
 * processes share, what the machine allows, who lives, and what flight recordings are told. It knows the page map, and
 * nothing of the API but its exceptions and {@code Locking}. Not exported.
 *
 * <p>Read {@code Libc} (every native call), then {@code Mapping} and {@code Region} (from the mapping to the
 * unmapping), then {@code SharedFile}.
 */
@NullMarked
package io.labyrinth.internal.os;

import org.jspecify.annotations.NullMarked;
