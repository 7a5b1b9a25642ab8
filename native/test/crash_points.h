/* SPDX-License-Identifier: Apache-2.0
 *
 * crash_points.h: the named steps of the library, in a build with LABYRINTH_CRASH_POINTS.
 */
#ifndef LABYRINTH_CRASH_POINTS_H
#define LABYRINTH_CRASH_POINTS_H

#include <stddef.h>

/* Called at each step. By default it is crash_by_environment. A function that replaces it calls crash_by_environment,
 * if the process is to crash.
 */
extern void (*labyrinth_step)(const char *name);

/* LABYRINTH_CRASH="STEP:N:kill" kills the process when it passes the step for the Nth time. "STEP:N:stop" stops it
 * there, as a signal from outside does: all threads, until the process is continued or killed.
 */
void crash_by_environment(const char *name);

/* The names of all steps, each once, with NULL at the end. */
const char **crash_points(void);

#endif
