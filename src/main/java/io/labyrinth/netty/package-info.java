/**
 * Netty's buffers in the frames of a labyrinth: {@link io.labyrinth.netty.LabyrinthByteBufAllocator}. This package
 * needs {@code io.netty:netty-buffer} 4.2. The rest of the library does not.
 */
@NullMarked
package io.labyrinth.netty;

import org.jspecify.annotations.NullMarked;
