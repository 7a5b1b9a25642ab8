/**
 * Apache Arrow's vectors in the frames of a labyrinth: {@link io.labyrinth.arrow.LabyrinthAllocation}. Needs
 * {@code org.apache.arrow:arrow-memory-core}, which the rest of the library does not.
 */
@NullMarked
package io.labyrinth.arrow;

import org.jspecify.annotations.NullMarked;
