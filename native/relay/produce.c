/* SPDX-License-Identifier: Apache-2.0
 *
 * produce LABYRINTH FIRST FILE...: reads the files into frames, and writes their tickets to standard output. After an
 * answer on standard input the next piece follows. FIRST is the number of the first file: after a kill, the next
 * produce begins where the killed one ended.
 */
#define _POSIX_C_SOURCE 200809L
#include "../labyrinth_api.h"
#include "relay.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum {
    ORDER = 4,
    AHEAD = 8, /* at most this many pieces are not answered yet */
};

static int refused(const char *what) {
    char text[512];
    fprintf(stderr, "produce: %s: %s\n", what, labyrinth_explain(text, sizeof text));
    return 1;
}

static int pending;

static int await(int at_most) {
    struct relay_answer answer;
    while (pending > at_most) {
        if (relay_read(&answer, sizeof answer) != 1) {
            return -1;
        }
        pending--;
    }
    return 0;
}

static int pass(uint64_t ticket, uint32_t file, ssize_t bytes) {
    struct relay_piece piece = {.ticket = ticket, .file = file, .bytes = (uint32_t) bytes};
    pending++;
    return relay_write(&piece, sizeof piece) == 0 && await(AHEAD) == 0 ? 0 : -1;
}

/* 0, or the exit code. */
static int produce(struct labyrinth *labyrinth, uint32_t number, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        perror(path);
        return 1;
    }
    ssize_t bytes = 1;
    while (bytes > 0) {
        uint64_t run;
        while ((run = labyrinth_alloc_pages(labyrinth, LABYRINTH_GFP_EXCLUSIVE, ORDER)) == 0) {
            if (labyrinth_last_error() != LABYRINTH_OK) {
                return refused("allocate");
            }
            if (pending == 0 || await(pending - 1) != 0) {
                fprintf(stderr, "produce: no run of order %d is free, and none will be\n", ORDER);
                return 1;
            }
        }
        bytes = read(fd, labyrinth_address(labyrinth, run), labyrinth_byte_size(labyrinth, run));
        if (bytes <= 0) {
            if (labyrinth_free(labyrinth, run) != LABYRINTH_OK) {
                return refused("free");
            }
            if (bytes < 0) {
                perror(path);
                return 1;
            }
        }
        uint64_t ticket = bytes == 0 ? 0 : labyrinth_hand_off(labyrinth, run);
        if (pass(ticket, number, bytes) != 0) {
            return 1; /* nobody reads the tickets any more */
        }
    }
    close(fd);
    return 0;
}

int main(int argc, char **argv) {
    static struct labyrinth labyrinth;
    if (argc < 3) {
        fprintf(stderr, "usage: produce LABYRINTH FIRST FILE...\n");
        return 2;
    }
    if (labyrinth_attach(&labyrinth, argv[1], LABYRINTH_LOCK_PREFERRED) != LABYRINTH_OK) {
        return refused(argv[1]);
    }
    uint32_t first = (uint32_t) strtoul(argv[2], NULL, 10);
    for (int i = 3; i < argc; i++) {
        int failure = produce(&labyrinth, first + (uint32_t) (i - 3), argv[i]);
        if (failure != 0) {
            return failure;
        }
    }
    if (await(0) != 0) {
        return 1;
    }
    return labyrinth_detach(&labyrinth) == LABYRINTH_OK ? 0 : refused("end");
}
