/**
 * Arbitrary bytes in the shared file: in the header, in page words and owner words, and in advice. A file is refused
 * with a typed error, or it is used and does no harm. Every call ends and stays within the mapping. C answers as Java
 * does.
 */
package io.labyrinth.fuzz;
