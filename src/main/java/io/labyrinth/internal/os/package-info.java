/**
 * The layer in the middle: the system and the JVM around a labyrinth. It maps and locks memory, handles the file that
 * processes share, asks what the machine allows and which threads and processes live, and writes the events of flight
 * recordings. It knows the page map. Of the API it knows only the exceptions and {@code Locking}. Not exported.
 *
 * <p>Read {@code Libc} (every native call), then {@code Mapping} and {@code Region} (from the mapping to the
 * unmapping), then {@code SharedFile}.
 */
@NullMarked
package io.labyrinth.internal.os;

import org.jspecify.annotations.NullMarked;
