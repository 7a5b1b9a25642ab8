/* SPDX-License-Identifier: Apache-2.0
 *
 * scenario LABYRINTH: two attachments, driven by lines on standard input. For each line the outcome is one line on
 * standard output. The same lines drive two attachments of Java (TwinsTest), with the same outcomes. The name of a run
 * is its place in the list of all runs that were ever handed out. So a line means the same on both sides, wherever the
 * frames lie.
 *
 *   alloc WHO GFP ORDER       free WHO RUN       hand WHO RUN       accept WHO RUN       order WHO RUN
 *   forge RUN BITS            adds the handle of RUN xor BITS to the list
 */
#include "../labyrinth_api.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 1 << 20 };

static uint64_t runs[MOST];
static size_t count;

static const char *outcome(uint64_t run) {
    if (run != 0) {
        runs[count++] = run;
        return "ok";
    }
    enum labyrinth_error error = labyrinth_last_error();
    return error == LABYRINTH_OK ? "null" : labyrinth_error_name(error);
}

int main(int argc, char **argv) {
    static struct labyrinth both[2];
    for (int i = 0; i < 2; i++) {
        if (argc != 2 || labyrinth_attach(&both[i], argv[1], LABYRINTH_LOCK_NONE) != LABYRINTH_OK) {
            char text[512];
            fprintf(stderr, "scenario: %s\n", labyrinth_explain(text, sizeof text));
            return 1;
        }
    }
    char verb[16];
    uint64_t a;
    uint64_t b;
    uint64_t c = 0;
    while (scanf("%15s %" SCNu64 " %" SCNu64, verb, &a, &b) == 3 && count < MOST - 1) {
        struct labyrinth *l = &both[a % 2];
        const char *said = "no such verb";
        if (strcmp(verb, "alloc") == 0) {
            if (scanf("%" SCNu64, &c) != 1) {
                return 1;
            }
            said = outcome(labyrinth_alloc_pages(l, (uint32_t) b, (uint32_t) c));
        } else if (strcmp(verb, "forge") == 0) {
            runs[count++] = runs[a] ^ b;
            said = "ok";
        } else if (strcmp(verb, "free") == 0) {
            enum labyrinth_error error = labyrinth_free(l, runs[b]);
            said = error == LABYRINTH_OK ? "ok" : labyrinth_error_name(error);
        } else if (strcmp(verb, "hand") == 0) {
            said = outcome(labyrinth_hand_off(l, runs[b]));
        } else if (strcmp(verb, "accept") == 0) {
            said = outcome(labyrinth_accept(l, runs[b]));
        } else if (strcmp(verb, "order") == 0) {
            int order = labyrinth_order(l, runs[b]);
            if (order >= 0) {
                printf("%d\n", order);
                continue;
            }
            said = labyrinth_error_name(labyrinth_last_error());
        }
        puts(said);
    }
    return 0;
}
