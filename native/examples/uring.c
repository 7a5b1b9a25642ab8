/* SPDX-License-Identifier: Apache-2.0
 *
 * uring FILE: reads a file into frames by io_uring, past the page cache. All frames are registered once as one fixed
 * buffer, so no read has to look up and pin pages. Prints the number of bytes and their sum. Needs liburing (Debian:
 * liburing-dev).
 */
#define _GNU_SOURCE
#include "../labyrinth_api.h"
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    FRAMES = 512,
    ORDER = 4, /* 64 KiB a read */
    DEPTH = 8,
};

static struct labyrinth labyrinth;

static int refused(const char *what) {
    char text[512];
    fprintf(stderr, "uring: %s: %s\n", what, labyrinth_explain(text, sizeof text));
    return 1;
}

static int failed(const char *what, int error) {
    fprintf(stderr, "uring: %s: %s\n", what, strerror(error));
    return 1;
}

static int read_all(struct io_uring *ring, int fd) {
    uint64_t bytes = 0;
    uint64_t sum = 0;
    uint64_t at = 0;
    int out = 0;
    int ended = 0;
    while (!ended || out > 0) {
        uint64_t run;
        while (!ended && out < DEPTH
               && (run = labyrinth_alloc_pages(&labyrinth, LABYRINTH_GFP_EXCLUSIVE, ORDER)) != 0) {
            struct io_uring_sqe *entry = io_uring_get_sqe(ring);
            unsigned length = (unsigned) labyrinth_byte_size(&labyrinth, run);
            io_uring_prep_read_fixed(entry, fd, labyrinth_address(&labyrinth, run), length, at, 0);
            io_uring_sqe_set_data64(entry, run);
            at += length;
            out++;
        }
        struct io_uring_cqe *done;
        int error = io_uring_submit_and_wait(ring, 1);
        if (error < 0 || (error = io_uring_wait_cqe(ring, &done)) < 0) {
            return failed("wait", -error);
        }
        run = io_uring_cqe_get_data64(done);
        int length = done->res;
        io_uring_cqe_seen(ring, done);
        out--;
        if (length < 0) {
            return failed("read", -length);
        }
        const unsigned char *data = labyrinth_address(&labyrinth, run);
        for (int i = 0; i < length; i++) {
            sum += data[i];
        }
        bytes += (uint64_t) length;
        ended |= (size_t) length < labyrinth_byte_size(&labyrinth, run);
        if (labyrinth_free(&labyrinth, run) != LABYRINTH_OK) {
            return refused("free");
        }
    }
    printf("%llu bytes, sum %llu\n", (unsigned long long) bytes, (unsigned long long) sum);
    return 0;
}

int main(int argc, char **argv) {
    int memfd;
    if (argc != 2) {
        fprintf(stderr, "usage: uring FILE\n");
        return 2;
    }
    if (labyrinth_create_memfd(&labyrinth, "uring", FRAMES, 0, LABYRINTH_LOCK_PREFERRED, &memfd) != LABYRINTH_OK) {
        return refused("create");
    }
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC | O_DIRECT);
    if (fd < 0) {
        fd = open(argv[1], O_RDONLY | O_CLOEXEC); /* a file system without O_DIRECT */
    }
    struct io_uring ring;
    int error = fd < 0 ? -1 : io_uring_queue_init(DEPTH, &ring, 0);
    if (fd < 0 || error < 0) {
        return fd < 0 ? (perror(argv[1]), 1) : failed("io_uring", -error);
    }
    struct iovec all;
    all.iov_base = labyrinth_frames(&labyrinth, &all.iov_len);
    error = io_uring_register_buffers(&ring, &all, 1);
    int exit = error < 0 ? failed("register", -error) : read_all(&ring, fd);
    io_uring_queue_exit(&ring);
    close(memfd);
    return labyrinth_detach_now(&labyrinth) == LABYRINTH_OK ? exit : refused("detach");
}
