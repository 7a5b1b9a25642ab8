/**
 * The command line: {@code digest}, {@code relay}, {@code stress}, {@code doctor}, {@code map}. It uses what the module
 * exports, and one class more: {@code io.labyrinth.internal.os.Machine}, which says what this machine allows.
 */
@NullMarked
package io.labyrinth.cli;

import org.jspecify.annotations.NullMarked;
