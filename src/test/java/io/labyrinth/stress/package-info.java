/**
 * Stress by many threads. Each owner stamps its whole run and reads the stamps again before it gives the run up, and a
 * ledger next to the labyrinth says whose each frame is. So a frame with two owners is found, and a life that comes
 * twice, and at the end all frames are back.
 */
package io.labyrinth.stress;
