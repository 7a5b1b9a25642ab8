/* SPDX-License-Identifier: Apache-2.0
 *
 * opens: opens labyrinths of the given sizes, one after the other, keeps them all, and prints the result of each. For
 * machines and cgroups with too little memory: whatever happens, no signal kills it.
 *
 *     opens memfd:MIB | PATH:MIB ...
 *
 * Prints "opened PLACE" or "refused PLACE: ERROR: sentence". The exit code is 0, or 3 if any was refused.
 */
#define _GNU_SOURCE
#include "../labyrinth_api.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 16

int main(int argc, char **argv)
{
    static struct labyrinth labyrinths[MOST];
    int exit_code = 0;
    if (argc < 2 || argc > MOST) {
        fprintf(stderr, "usage: opens memfd:MIB | PATH:MIB ...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        const char *colon = strrchr(argv[i], ':');
        if (colon == NULL) {
            fprintf(stderr, "opens: %s: no size\n", argv[i]);
            return 2;
        }
        char place[256];
        snprintf(place, sizeof place, "%.*s", (int) (colon - argv[i]), argv[i]);
        uint64_t frames = (strtoull(colon + 1, NULL, 10) << 20) / (uint64_t) sysconf(_SC_PAGESIZE);
        int fd; /* never closed: the labyrinth must stay */
        enum labyrinth_error error = strcmp(place, "memfd") == 0
            ? labyrinth_create_memfd(&labyrinths[i], "opens", frames, 0, LABYRINTH_LOCK_REQUIRED, &fd)
            : labyrinth_create(&labyrinths[i], place, "opens", frames, 0, LABYRINTH_LOCK_REQUIRED);
        if (error == LABYRINTH_OK) {
            printf("opened %s\n", argv[i]);
        } else {
            char said[512];
            printf("refused %s: %s: %s\n", argv[i], labyrinth_error_name(error),
                   labyrinth_explain(said, sizeof said));
            exit_code = 3;
        }
        fflush(stdout);
    }
    return exit_code;
}
