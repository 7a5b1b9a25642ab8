/**
 * What tests of several disciplines share. A child JVM does what a test cannot do to its own JVM. Hooks strike or stop a
 * thread at any call of the core, and each step of the API is written once. Other helpers let threads race, fill the
 * heap, and let system calls fail. Nothing is proved here.
 */
package io.labyrinth.kit;
