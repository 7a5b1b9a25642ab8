/**
 * Apache Arrow's vectors in the frames of a labyrinth: {@link io.labyrinth.arrow.LabyrinthAllocation}. This package
 * needs {@code org.apache.arrow:arrow-memory-core}. The rest of the library does not.
 */
@NullMarked
package io.labyrinth.arrow;

import org.jspecify.annotations.NullMarked;
