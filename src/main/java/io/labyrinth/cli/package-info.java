/**
 * The command line: {@code digest}, {@code stress}, {@code doctor}. A user of the library like any other: it calls what
 * {@code io.labyrinth} exports, and nothing else of it.
 */
@NullMarked
package io.labyrinth.cli;

import org.jspecify.annotations.NullMarked;
