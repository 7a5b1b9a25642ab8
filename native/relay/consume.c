/* SPDX-License-Identifier: Apache-2.0
 *
 * consume LABYRINTH: for each piece on standard input, accepts the frame, adds it to the SHA-256 of the file, frees the
 * frame, and answers on standard output. It may be killed at any moment: the giver takes back the frames that consume
 * had not accepted, and a sweep takes back those that it had accepted.
 */
#define _POSIX_C_SOURCE 200809L
#include "../labyrinth_api.h"
#include "relay.h"
#include "sha256.h"

static int refused(const char *what) {
    char text[512];
    fprintf(stderr, "consume: %s: %s\n", what, labyrinth_explain(text, sizeof text));
    return 1;
}

int main(int argc, char **argv) {
    static struct labyrinth labyrinth;
    if (argc != 2) {
        fprintf(stderr, "usage: consume LABYRINTH\n");
        return 2;
    }
    if (labyrinth_attach(&labyrinth, argv[1], LABYRINTH_LOCK_PREFERRED) != LABYRINTH_OK) {
        return refused(argv[1]);
    }
    struct sha256 sum;
    struct relay_piece piece;
    uint32_t file = UINT32_MAX; /* files come one at a time, in order */
    int more;
    while ((more = relay_read(&piece, sizeof piece)) == 1) {
        if (piece.file != file) {
            file = piece.file;
            sha256_start(&sum);
        }
        struct relay_answer answer = {.ticket = piece.ticket, .file = piece.file, .last = piece.bytes == 0};
        if (answer.last) {
            sha256_end(&sum, answer.sum);
            file = UINT32_MAX;
        } else {
            uint64_t run = labyrinth_accept(&labyrinth, piece.ticket);
            if (run == 0 || piece.bytes > labyrinth_byte_size(&labyrinth, run)) {
                return refused("accept");
            }
            sha256_add(&sum, labyrinth_address(&labyrinth, run), piece.bytes);
            if (labyrinth_free(&labyrinth, run) != LABYRINTH_OK) {
                return refused("free");
            }
        }
        if (relay_write(&answer, sizeof answer) != 0) {
            return 1; /* nobody reads the answers any more */
        }
    }
    return more == 0 && labyrinth_detach(&labyrinth) == LABYRINTH_OK ? 0 : refused("end");
}
