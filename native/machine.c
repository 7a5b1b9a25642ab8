/* SPDX-License-Identifier: Apache-2.0
 *
 * machine.c: whether the machine, its memory nodes and the cgroups have the memory that is requested. This is checked
 * before a page is touched: later the kernel would kill, and not refuse. CgroupMemory.java and NodeMemory.java give the
 * same answers and explain what counts as used. The kernel's files are read into fixed buffers, without malloc.
 */
#define _GNU_SOURCE
#include "internal.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_NODES 1024
#define MOST_PATH (PATH_MAX + 64)

/* ------------------------------------------------------------------------------------------------ lines of files */

struct lines {
    int fd;
    size_t at;
    size_t end;
    char buffer[1024];
    char line[MOST_PATH]; /* a longer line is cut */
};

static bool open_lines(struct lines *lines, const char *path)
{
    lines->fd = open(path, O_RDONLY | O_CLOEXEC);
    lines->at = 0;
    lines->end = 0;
    return lines->fd >= 0;
}

/* Reads the next line. At the end it closes the file and returns false. */
static bool next_line(struct lines *lines)
{
    size_t length = 0;
    bool any = false;
    while (lines->fd >= 0) {
        if (lines->at == lines->end) {
            ssize_t got = read(lines->fd, lines->buffer, sizeof lines->buffer);
            lines->at = 0;
            lines->end = got > 0 ? (size_t) got : 0;
            if (got <= 0) {
                break;
            }
        }
        any = true;
        char next = lines->buffer[lines->at++];
        if (next == '\n') {
            break;
        }
        if (length < sizeof lines->line - 1) {
            lines->line[length++] = next;
        }
    }
    lines->line[length] = '\0';
    if (!any && lines->fd >= 0) {
        close(lines->fd);
        lines->fd = -1;
    }
    return any;
}

/* Reads the file's first line. */
static bool read_line(const char *path, char *text, size_t bytes)
{
    struct lines lines;
    if (!open_lines(&lines, path)) {
        return false;
    }
    size_t length = next_line(&lines) ? strlen(lines.line) : 0;
    length = length < bytes ? length : bytes - 1;
    memcpy(text, lines.line, length);
    text[length] = '\0';
    while (next_line(&lines)) {
    }
    return true;
}

/* The path of a file in a folder. If it would be too long, an empty path, which no file has. */
static const char *file_in(char path[MOST_PATH], const char *folder, const char *file)
{
    size_t length = strlen(folder), more = strlen(file);
    if (length + 1 + more >= MOST_PATH) {
        return "";
    }
    memcpy(path, folder, length);
    path[length] = '/';
    memcpy(path + length + 1, file, more + 1);
    return path;
}

/* Reads a file that is one number. False for "max", and for the huge number that the first version of cgroups has for
 * it.
 */
static bool read_number(const char *path, uint64_t *number)
{
    char text[32];
    if (!read_line(path, text, sizeof text) || text[0] < '0' || text[0] > '9' || strlen(text) > 18) {
        return false;
    }
    *number = strtoull(text, NULL, 10);
    return true;
}

struct field {
    const char *key;
    uint64_t value;
};

/* Reads lines "PREFIXkey value" and fills in the values of some keys. The value of a key without a line stays 0. */
static bool read_fields(const char *path, const char *prefix, struct field *fields, size_t count)
{
    struct lines lines;
    if (!open_lines(&lines, path)) {
        return false;
    }
    size_t skipped = strlen(prefix);
    while (next_line(&lines)) {
        if (strncmp(lines.line, prefix, skipped) != 0) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            size_t key = strlen(fields[i].key);
            const char *after = lines.line + skipped + key;
            if (strncmp(lines.line + skipped, fields[i].key, key) == 0 && *after == ' ') {
                fields[i].value = strtoull(after, NULL, 10);
            }
        }
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------ cgroups */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t less(uint64_t from, uint64_t by)
{
    return from > by ? from - by : 0;
}

static uint64_t used_of_second(const char *at)
{
    enum { ANON, SHMEM, INACTIVE_ANON, ACTIVE_ANON, UNEVICTABLE, INACTIVE_FILE, ACTIVE_FILE, SLAB_RECLAIMABLE, KERNEL };
    struct field stat[] = {
        {"anon", 0}, {"shmem", 0}, {"inactive_anon", 0}, {"active_anon", 0}, {"unevictable", 0}, {"inactive_file", 0},
        {"active_file", 0}, {"slab_reclaimable", 0}, {"kernel_stack", 0}, {"pagetables", 0}, {"sec_pagetables", 0},
        {"percpu", 0}, {"sock", 0}, {"vmalloc", 0}, {"slab_unreclaimable", 0},
    };
    char path[MOST_PATH];
    uint64_t charged = 0;
    read_number(file_in(path, at, "memory.current"), &charged);
    if (!read_fields(file_in(path, at, "memory.stat"), "", stat, sizeof stat / sizeof *stat)) {
        return charged;
    }
    uint64_t counted = larger(stat[ANON].value + stat[SHMEM].value,
                              stat[INACTIVE_ANON].value + stat[ACTIVE_ANON].value + stat[UNEVICTABLE].value);
    for (size_t i = KERNEL; i < sizeof stat / sizeof *stat; i++) {
        counted += stat[i].value;
    }
    return larger(counted, less(charged, stat[INACTIVE_FILE].value + stat[ACTIVE_FILE].value
                                             + stat[SLAB_RECLAIMABLE].value));
}

static uint64_t used_of_first(const char *at)
{
    struct field stat[] = {{"total_rss", 0}, {"total_shmem", 0}, {"total_inactive_anon", 0}, {"total_active_anon", 0},
                           {"total_unevictable", 0}};
    char path[MOST_PATH];
    if (!read_fields(file_in(path, at, "memory.stat"), "", stat, sizeof stat / sizeof *stat)) {
        uint64_t charged = 0;
        read_number(file_in(path, at, "memory.usage_in_bytes"), &charged);
        return charged;
    }
    return larger(stat[0].value + stat[1].value, stat[2].value + stat[3].value + stat[4].value);
}

static void tighten(struct cgroup_room *room, const char *at, const char *file, uint64_t used)
{
    char path[MOST_PATH];
    uint64_t limit;
    if (read_number(file_in(path, at, file), &limit) && less(limit, used) < room->bytes) {
        room->bytes = less(limit, used);
        room->limit = limit;
        room->is_high = strcmp(file, "memory.high") == 0;
    }
}

/* Looks at each cgroup from this one up to the hierarchy's root. */
static void tighten_upwards(struct cgroup_room *room, char *at, size_t root, bool second)
{
    for (;;) {
        uint64_t used = second ? used_of_second(at) : used_of_first(at);
        tighten(room, at, second ? "memory.max" : "memory.limit_in_bytes", used);
        if (second) {
            tighten(room, at, "memory.high", used);
        }
        if (strlen(at) <= root) {
            return;
        }
        *strrchr(at, '/') = '\0';
    }
}

/* Reads lines "7:memory,hugetlb:/path", or "0::/path" of the second version. In both the path begins at the root of
 * what is mounted. A path that leads out of it names a cgroup that cannot be seen from here.
 */
struct cgroup_room cgroup_room(const char *memberships, const char *hierarchies)
{
    struct cgroup_room room = {.bytes = UINT64_MAX};
    struct lines lines;
    if (!open_lines(&lines, memberships)) {
        return room;
    }
    while (next_line(&lines)) {
        char *controllers = strchr(lines.line, ':');
        char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (path == NULL || path[1] != '/' || strstr(path, "/../") != NULL || strcmp(path + 1, "/..") == 0) {
            continue;
        }
        *path++ = '\0';
        bool second = *++controllers == '\0';
        bool memory = false;
        for (const char *name = controllers; name != NULL; name = strchr(name, ',') ? strchr(name, ',') + 1 : NULL) {
            memory |= strncmp(name, "memory", 6) == 0 && (name[6] == ',' || name[6] == '\0');
        }
        if (second || memory) {
            char at[MOST_PATH] = "";
            size_t root = strlen(hierarchies), length = strlen(path);
            while (length > 0 && path[length - 1] == '/') {
                path[--length] = '\0';
            }
            if (second && root < sizeof at) {
                memcpy(at, hierarchies, root + 1);
            } else if (!second) {
                file_in(at, hierarchies, controllers);
                root = strlen(at);
            }
            if (at[0] != '\0' && root + length < sizeof at) {
                memcpy(at + root, path, length + 1);
                tighten_upwards(&room, at, root, second);
            }
        }
    }
    return room;
}

/* ------------------------------------------------------------------------------------------------ nodes */

struct nodes {
    uint64_t bits[MOST_NODES / 64];
};

static bool has_node(const struct nodes *nodes, uint64_t node)
{
    return node < MOST_NODES && (nodes->bits[node / 64] >> node % 64 & 1) != 0;
}

/* Parses a list like "0-1,3". */
static struct nodes parse_nodes(const char *list)
{
    struct nodes nodes = {{0}};
    while (*list >= '0' && *list <= '9') {
        char *end;
        uint64_t first = strtoull(list, &end, 10);
        uint64_t last = *end == '-' ? strtoull(end + 1, &end, 10) : first;
        for (uint64_t node = first; node <= last && node < MOST_NODES; node++) {
            nodes.bits[node / 64] |= 1ULL << node % 64;
        }
        list = *end == ',' ? end + 1 : end;
    }
    return nodes;
}

static struct nodes allowed_nodes(const char *status)
{
    static const char key[] = "Mems_allowed_list:\t";
    struct nodes nodes = {{0}};
    struct lines lines;
    if (open_lines(&lines, status)) {
        while (next_line(&lines)) {
            if (strncmp(lines.line, key, sizeof key - 1) == 0) {
                nodes = parse_nodes(lines.line + sizeof key - 1);
            }
        }
    }
    return nodes;
}

struct zones {
    uint64_t low;  /* the sum of the low watermarks, in pages */
    uint64_t kept; /* pages kept for other requests, and those up to the high watermark */
};

/* Reads the number in a line "key  123". False if the line has another key. */
static bool is_count(const char *line, const char *key, uint64_t *count)
{
    size_t length = strlen(key);
    if (strncmp(line, key, length) != 0 || line[length] != ' ') {
        return false;
    }
    *count = strtoull(line + length, NULL, 10);
    return true;
}

/* Sums up /proc/zoneinfo for some nodes, in pages. */
static struct zones zones_of(const char *zoneinfo, const struct nodes *nodes)
{
    struct zones zones = {0, 0};
    struct lines lines;
    bool counts = false;
    uint64_t high = 0, managed = 0, count;
    if (!open_lines(&lines, zoneinfo)) {
        return zones;
    }
    while (next_line(&lines)) {
        const char *line = lines.line + strspn(lines.line, " ");
        if (strncmp(line, "Node ", 5) == 0 && strstr(line, ", zone") != NULL) {
            counts = has_node(nodes, strtoull(line + 5, NULL, 10));
            high = managed = 0;
        } else if (!counts) {
            continue;
        } else if (is_count(line, "low", &count)) {
            zones.low += count;
        } else if (is_count(line, "high", &count)) {
            high = count;
        } else if (is_count(line, "managed", &count)) {
            managed = count;
        } else if (strncmp(line, "protection: (", 13) == 0) {
            uint64_t most = 0;
            for (const char *at = line + 13; *at >= '0' && *at <= '9';) {
                char *end;
                most = larger(most, strtoull(at, &end, 10));
                at = end + strspn(end, ", ");
            }
            zones.kept += smaller(most + high, managed);
        }
    }
    return zones;
}

uint64_t available_memory(const char *proc, const char *nodes_folder, uint64_t page_size, bool *restricted)
{
    char path[256], list[1024] = "";
    struct field machine = {"MemAvailable:", 0};
    snprintf(path, sizeof path, "%s/meminfo", proc);
    uint64_t available = read_fields(path, "", &machine, 1) && machine.value != 0 ? machine.value * 1024 : UINT64_MAX;
    snprintf(path, sizeof path, "%s/self/status", proc);
    struct nodes allowed = allowed_nodes(path);
    snprintf(path, sizeof path, "%s/has_memory", nodes_folder);
    read_line(path, list, sizeof list);
    struct nodes all = parse_nodes(list);
    bool any = false, others = false;
    for (size_t i = 0; i < MOST_NODES / 64; i++) {
        any |= allowed.bits[i] != 0;
        others |= (all.bits[i] & ~allowed.bits[i]) != 0;
        all.bits[i] &= allowed.bits[i];
    }
    *restricted = any && others;
    if (!*restricted) {
        return available;
    }
    uint64_t free = 0, files = 0, shrinkable = 0;
    for (uint64_t node = 0; node < MOST_NODES; node++) {
        if (has_node(&all, node)) {
            struct field has[] = {{"MemFree:", 0}, {"Active(file):", 0}, {"Inactive(file):", 0}, {"KReclaimable:", 0},
                                  {"SReclaimable:", 0}};
            char prefix[32];
            snprintf(path, sizeof path, "%s/node%u/meminfo", nodes_folder, (unsigned) node);
            snprintf(prefix, sizeof prefix, "Node %u ", (unsigned) node);
            read_fields(path, prefix, has, sizeof has / sizeof *has);
            free += has[0].value * 1024;
            files += (has[1].value + has[2].value) * 1024;
            shrinkable += larger(has[3].value, has[4].value) * 1024;
        }
    }
    snprintf(path, sizeof path, "%s/zoneinfo", proc);
    struct zones zones = zones_of(path, &all);
    uint64_t low = zones.low * page_size;
    return smaller(available, less(free + files - smaller(files / 2, low) + shrinkable - smaller(shrinkable / 2, low),
                                   zones.kept * page_size));
}

/* ------------------------------------------------------------------------------------------------ the check */

/* The number of processors in a list such as 0-3,8. */
static uint64_t processors_in(const char *list)
{
    uint64_t count = 0;
    while (*list >= '0' && *list <= '9') {
        char *end;
        uint64_t first = strtoull(list, &end, 10);
        uint64_t last = *end == '-' ? strtoull(end + 1, &end, 10) : first;
        count += last >= first ? last - first + 1 : 0;
        list = *end == ',' ? end + 1 : "";
    }
    return count;
}

uint64_t charged_ahead(uint64_t pages, const char *online)
{
    enum { BATCH = 64 };
    char list[8192] = ""; /* the kernel writes at most a page */
    read_line(online, list, sizeof list);
    return BATCH * smaller(larger(1, processors_in(list)), pages / BATCH + 1);
}

enum labyrinth_error require_memory(const char *name, uint64_t bytes)
{
    if (bytes == 0) {
        return LABYRINTH_OK; /* the file has all of its memory already: then the overhead is not new either */
    }
    uint64_t page_size = (uint64_t) sysconf(_SC_PAGESIZE);
    uint64_t pages = bytes / page_size;
    uint64_t needed = bytes + pages * 17 + 64 * page_size; /* with the overhead that Machine.java has */
    bool restricted;
    uint64_t available = available_memory("/proc", "/sys/devices/system/node", page_size, &restricted);
    struct cgroup_room room = cgroup_room("/proc/self/cgroup", "/sys/fs/cgroup");
    uint64_t left = less(room.bytes, charged_ahead(pages, "/sys/devices/system/cpu/online") * page_size);
    if (needed <= smaller(available, left)) {
        return LABYRINTH_OK;
    }
    const char *remedy = "the machine has no more to give: ask for fewer frames, or give it more";
    if (left < available) {
        remedy = room.is_high ? "below its cgroup's memory.high, above which locked memory is never reclaimed and"
                                " whatever allocates is slowed down for good: ask for fewer frames, or raise it"
                              : "below its cgroup's memory limit, less what cannot be reclaimed there: ask for fewer"
                                " frames, or raise memory.max";
    } else if (restricted) {
        remedy = "on the memory nodes that this process may use: ask for fewer frames, or allow it more of them"
                 " (cpuset.mems)";
    }
    return refuse((struct refusal){.error = LABYRINTH_MAP_REFUSED, .name = name, .value = bytes,
                                   .limit = smaller(available, left), .rule = remedy});
}

uint64_t huge_page_size(void)
{
    uint64_t bytes;
    bool told = read_number("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", &bytes);
    return told && bytes != 0 && (bytes & (bytes - 1)) == 0 ? bytes : 2ULL << 20;
}
