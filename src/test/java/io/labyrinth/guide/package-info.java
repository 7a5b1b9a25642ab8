/**
 * The documents are true. The examples of the guide, of the README and of the Javadoc are compiled and run as they are
 * printed. Links lead somewhere, and the tests and flags that are named exist.
 */
package io.labyrinth.guide;
