/**
 * Several tenants share one labyrinth: in one JVM, in several, and in C. They attach and leave, fork, and are killed at
 * any moment. What the dead held is returned, and what the living hold stays theirs. Java and C give the same answers.
 */
package io.labyrinth.tenants;
