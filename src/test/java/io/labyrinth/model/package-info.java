/**
 * Calls against a model. One thread acts at a time, so the model says beforehand what each call must return: a set with
 * one bit for each frame, and the life of each run. The calls are random requests, and hostile arguments that Jazzer
 * chooses. A refused call must leave every page word as it was.
 */
package io.labyrinth.model;
