/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.h: the process that is killed, and what it reports.
 */
#ifndef LABYRINTH_WORKER_H
#define LABYRINTH_WORKER_H

#include "check.h"

/* In memory that the worker and its keeper share. */
struct board {
    uint64_t frames; /* the number of frames that the worker holds between rounds */
    uint64_t slot;   /* of its main tenant; 0 until it has attached */
};

#define WORKER_OUT_OF_ROUNDS 3

int work(int fd, struct board *board, uint64_t seed, long rounds);

#endif
