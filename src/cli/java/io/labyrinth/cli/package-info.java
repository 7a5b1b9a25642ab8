/**
 * The command line: {@code digest}, {@code relay}, {@code stress}, {@code doctor}, {@code map}. A user of the library
 * like any other: it calls what the module exports, and nothing else of it.
 */
@NullMarked
package io.labyrinth.cli;

import org.jspecify.annotations.NullMarked;
