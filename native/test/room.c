/* SPDX-License-Identifier: Apache-2.0
 *
 * room: prints what the library finds out about memory.
 *
 *     room MEMBERSHIPS HIERARCHIES     the bytes below the tightest memory limit of the cgroups in these files, and
 *                                      1 if that limit is memory.high
 *     room PROC NODES PAGE_SIZE        the bytes available on the memory nodes, and 1 if the process may use only some
 *                                      of the nodes
 *     room ahead PAGES ONLINE          pages that a cgroup is charged ahead of their use, with these processors
 *     room missing PATH BYTES          how many of the file's first bytes have no memory yet
 *     room create FRAMES...            creates memfds with these numbers of frames, one after the other: each result
 *     room attach PATH...              attaches to these files, one after the other: each result
 */
#include "../internal.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int create_all(char **frames)
{
    static struct labyrinth labyrinths[16];
    for (int i = 0; frames[i] != NULL && i < 16; i++) {
        char text[512];
        int fd;
        enum labyrinth_error error = labyrinth_create_memfd(&labyrinths[i], "room", strtoull(frames[i], NULL, 10), 0,
                                                            LABYRINTH_LOCK_PREFERRED, &fd);
        printf("%s: %s\n", labyrinth_error_name(error), error == LABYRINTH_OK ? "opened"
                                                                              : labyrinth_explain(text, sizeof text));
        fflush(stdout);
    }
    return 0;
}

static int attach_all(char **paths)
{
    static struct labyrinth labyrinths[16];
    for (int i = 0; paths[i] != NULL && i < 16; i++) {
        char text[512];
        enum labyrinth_error error = labyrinth_attach(&labyrinths[i], paths[i], LABYRINTH_LOCK_NONE);
        printf("%s: %s\n", labyrinth_error_name(error), error == LABYRINTH_OK ? "attached"
                                                                              : labyrinth_explain(text, sizeof text));
        fflush(stdout);
    }
    return 0;
}

int main(int count, char **args)
{
    if (count > 2 && strcmp(args[1], "create") == 0) {
        return create_all(args + 2);
    }
    if (count > 2 && strcmp(args[1], "attach") == 0) {
        return attach_all(args + 2);
    }
    if (count == 4 && strcmp(args[1], "missing") == 0) {
        int fd = open(args[2], O_RDONLY);
        printf("%llu\n", (unsigned long long) room_missing(fd, strtoull(args[3], NULL, 10)));
        return 0;
    }
    if (count == 4 && strcmp(args[1], "ahead") == 0) {
        printf("%llu\n", (unsigned long long) charged_ahead(strtoull(args[2], NULL, 10), args[3]));
        return 0;
    }
    if (count == 4) {
        bool restricted;
        uint64_t bytes = available_memory(args[1], args[2], strtoull(args[3], NULL, 10), &restricted);
        printf("%llu %d\n", (unsigned long long) bytes, restricted);
        return 0;
    }
    if (count == 3) {
        struct cgroup_room room = cgroup_room(args[1], args[2]);
        printf("%llu %d\n", (unsigned long long) room.bytes, room.is_high);
        return 0;
    }
    return 2;
}
