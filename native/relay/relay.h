/* SPDX-License-Identifier: Apache-2.0
 *
 * relay.h: the records in the pipes of `labyrinth relay`. They are tickets and numbers only: the bytes stay in their
 * frames. One write of at most PIPE_BUF bytes writes each record, so no reader ever sees a part of one.
 */
#ifndef LABYRINTH_RELAY_H
#define LABYRINTH_RELAY_H

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* A piece of a file, in a run that is in transit. A piece of 0 bytes has no run (ticket 0) and ends its file. */
struct relay_piece {
    uint64_t ticket;
    uint32_t file; /* its number in the order of the command line, from 0 */
    uint32_t bytes;
};

/* The answer to a piece: the piece was read, and its run is free. The answer to a file's last piece has the sum. */
struct relay_answer {
    uint64_t ticket;
    uint32_t file;
    uint32_t last; /* 1: sum is the file's SHA-256 */
    uint8_t sum[32];
};

/* Reads one record. 1; 0 at the end of the pipe; -1 after an error. */
static inline int relay_read(void *record, size_t bytes) {
    size_t got = 0;
    while (got < bytes) {
        ssize_t more = read(STDIN_FILENO, (char *) record + got, bytes - got);
        if (more <= 0) {
            return more == 0 && got == 0 ? 0 : -1;
        }
        got += (size_t) more;
    }
    return 1;
}

static inline int relay_write(const void *record, size_t bytes) {
    return write(STDOUT_FILENO, record, bytes) == (ssize_t) bytes ? 0 : -1;
}

#endif
