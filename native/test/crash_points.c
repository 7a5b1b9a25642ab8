/* SPDX-License-Identifier: Apache-2.0
 *
 * crash_points.c: kills or freezes a process at a named step of the library. The environment says at which.
 */
#define _GNU_SOURCE
#include "crash_points.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_STEPS 256

/* The linker defines these, around the section that LABYRINTH_STEP fills. */
extern const char *const __start_labyrinth_steps[];
extern const char *const __stop_labyrinth_steps[];

void (*labyrinth_step)(const char *name) = crash_by_environment;

static char wanted[64];
static atomic_long passages;
static int signal_there = SIGKILL;

__attribute__((constructor)) static void read_environment(void)
{
    const char *crash = getenv("LABYRINTH_CRASH");
    long nth;
    char how[8];
    if (crash == NULL) {
        return;
    }
    if (sscanf(crash, "%63[^:]:%ld:%7s", wanted, &nth, how) != 3) {
        fprintf(stderr, "LABYRINTH_CRASH=%s: write STEP:N:kill or STEP:N:stop\n", crash);
        exit(2);
    }
    passages = nth;
    signal_there = strcmp(how, "stop") == 0 ? SIGSTOP : SIGKILL;
}

void crash_by_environment(const char *name)
{
    if (strcmp(name, wanted) == 0 && atomic_fetch_sub(&passages, 1) == 1) {
        kill(getpid(), signal_there);
    }
}

const char **crash_points(void)
{
    static const char *names[MOST_STEPS];
    size_t count = 0;
    for (const char *const *step = __start_labyrinth_steps; step < __stop_labyrinth_steps; step++) {
        size_t i = 0;
        while (i < count && strcmp(names[i], *step) != 0) {
            i++;
        }
        if (i == count && count < MOST_STEPS - 1) {
            names[count++] = *step;
        }
    }
    names[count] = NULL;
    return names;
}
