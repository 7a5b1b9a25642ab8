/* SPDX-License-Identifier: Apache-2.0
 *
 * internal.h: what the sources of the library share, with one section for each file. Nothing here is for callers.
 */
#ifndef LABYRINTH_INTERNAL_H
#define LABYRINTH_INTERNAL_H

#include "labyrinth_api.h"
#include "page_word.h"
#include <stdatomic.h>

/* The named steps at which a test build kills or freezes the process. The names are in a section of their own, where
 * the test finds all of them. So no step can be forgotten: native/test/crash_points.c.
 */
#ifdef LABYRINTH_CRASH_POINTS
extern void (*labyrinth_step)(const char *name);
#define LABYRINTH_STEP(name)                                                                                          \
    do {                                                                                                              \
        static const char *const step __attribute__((section("labyrinth_steps"), used)) = name;                       \
        labyrinth_step(step);                                                                                         \
    } while (0)
#else
#define LABYRINTH_STEP(name) ((void) 0)
#endif

#define GROUP_FRAMES (1U << LABYRINTH_GROUP_ORDER)

/* Access modes are in the names, as in PageMap.java: lv acquire load, so release store, cas compare-and-set. The shared
 * memory is declared without _Atomic, because jextract reads the same header. gcc and clang give a uint64_t and an
 * _Atomic uint64_t the same form.
 */
static inline uint64_t lv(const uint64_t *at)
{
    return atomic_load_explicit((const _Atomic uint64_t *) at, memory_order_acquire);
}

static inline void so(uint64_t *at, uint64_t value)
{
    atomic_store_explicit((_Atomic uint64_t *) at, value, memory_order_release);
}

static inline bool cas(uint64_t *at, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong_explicit((_Atomic uint64_t *) at, &from, to, memory_order_acq_rel,
                                                   memory_order_acquire);
}

/* The calling thread's id; 0 before its first call. No id is given twice within this process. It is not the system's
 * thread id, which is reused.
 */
extern _Thread_local uint64_t labyrinth_thread __attribute__((tls_model("initial-exec")));
uint64_t labyrinth_new_thread(void);

#define LIKELY(condition) __builtin_expect(condition, 1)
#define UNLIKELY(condition) __builtin_expect(condition, 0)

static inline uint64_t current_thread(void)
{
    return LIKELY(labyrinth_thread != 0) ? labyrinth_thread : labyrinth_new_thread();
}

/* ------------------------------------------------------------------------------------------------ refusal.c */

/* What a refusal is about: the fields that its sentence needs. */
struct refusal {
    enum labyrinth_error error;
    const char *verb;
    const char *rule;
    const char *name;
    uint64_t handle;
    uint64_t word;
    uint64_t owner;
    uint64_t value;
    uint64_t limit;
    int errnum;
    const char *mount;    /* of a file system without room: value bytes were asked for, limit bytes are free */
    uint64_t mount_bytes; /* the file system's size */
};

enum labyrinth_error refuse(struct refusal refusal);
enum labyrinth_error refuse_request(const char *fact, uint64_t value, uint64_t limit, const char *remedy);
/* Notes the refusal. refuse_handle returns the error as well. It is inline, so that the compiler sees at each call that
 * the result is not OK.
 */
void note_handle(enum labyrinth_error error, const char *verb, uint64_t handle, uint64_t word, uint64_t owner)
    __attribute__((cold));

static inline enum labyrinth_error refuse_handle(enum labyrinth_error error, const char *verb, uint64_t handle,
                                                 uint64_t word, uint64_t owner)
{
    note_handle(error, verb, handle, word, owner);
    return error;
}

enum labyrinth_error refuse_system(enum labyrinth_error error, const char *call, const char *name, uint64_t bytes,
                                   int errnum);
enum labyrinth_error refuse_file(enum labyrinth_error error, const char *rule, uint64_t value, uint64_t limit);
/* FOREIGN; CLOSED if the struct is detached. */
enum labyrinth_error refuse_bounds(const struct labyrinth *l, const char *verb, uint64_t handle);
void refuse_nothing(void);

/* ------------------------------------------------------------------------------------------------ geometry.c */

struct geometry {
    uint32_t groups;
    uint32_t spans;
    int32_t span_shift;
    uint64_t advice_offset; /* from the page map's start */
    uint64_t bytes;         /* of the page map */
};

struct geometry geometry_of(uint32_t frames);
uint32_t header_crc(const struct labyrinth_header *header);
/* Fills in the offsets and the end, which follow from the frames and the page size: there is one layout, and nothing
 * lies between the parts.
 */
void lay_out_header(struct labyrinth_header *header);
/* Whether this is the header of a labyrinth, for a machine with pages of this size. The caller checks the file's
 * length.
 */
enum labyrinth_error header_check(const struct labyrinth_header *header, uint64_t page_size);

/* ------------------------------------------------------------------------------------------------ room.c */

/* Whether the file system has room for this many bytes. Called before any is taken: a full file system makes other
 * programs fail.
 */
enum labyrinth_error room_require(int fd, const char *path, uint64_t bytes);
/* How many of the file's first bytes have no memory yet. */
uint64_t room_missing(int fd, uint64_t bytes);
/* Sets the file's length; then the file system reserves all of it. After that a touch cannot fail for lack of room. */
enum labyrinth_error room_set_length(int fd, const char *path, uint64_t bytes);
enum labyrinth_error room_reserve(int fd, const char *path, uint64_t bytes);

/* ------------------------------------------------------------------------------------------------ machine.c */

/* The room below the tightest memory limit of the process's cgroups. */
struct cgroup_room {
    uint64_t bytes; /* that can still be charged without swapping; UINT64_MAX if there is no limit */
    uint64_t limit; /* bytes */
    bool is_high;   /* the limit is memory.high, which slows down and does not kill */
};

struct cgroup_room cgroup_room(const char *memberships, const char *hierarchies);
/* Pages that the kernel may charge ahead of their use while it charges so many pages; online is the list of the
 * processors. CgroupMemory.java gives the same number and explains it.
 */
uint64_t charged_ahead(uint64_t pages, const char *online);
/* Bytes available without swapping on the nodes that this process may use; restricted: these are not all nodes. */
uint64_t available_memory(const char *proc, const char *nodes_folder, uint64_t page_size, bool *restricted);
/* MAP_REFUSED if the machine, its memory nodes or the cgroups do not have this many bytes. */
enum labyrinth_error require_memory(const char *name, uint64_t bytes);
/* In bytes, as the kernel says; 2 MiB if it does not say. */
uint64_t huge_page_size(void);

/* ------------------------------------------------------------------------------------------------ page_map.c */

void map_tile(struct labyrinth *l, uint64_t generation);
uint64_t map_claim_seen(struct labyrinth *l, uint32_t pfn, uint64_t word, unsigned order, uint64_t flags,
                        uint64_t thread);
uint64_t map_claim_and_join(struct labyrinth *l, uint32_t pfn, unsigned order, uint64_t flags, uint64_t thread);
uint64_t map_hand_off(struct labyrinth *l, uint64_t handle, uint64_t thread);
uint64_t map_accept(struct labyrinth *l, uint64_t ticket, uint64_t thread);
uint64_t map_checked(struct labyrinth *l, uint64_t handle, const char *verb, uint64_t thread);
bool map_take_back(struct labyrinth *l, uint32_t pfn, uint64_t word);
void map_hide_heads_of(struct labyrinth *l, uint32_t pfn, uint32_t end, uint64_t tenant);
void map_advise_all(struct labyrinth *l);
uint32_t map_clear_group(struct labyrinth *l, uint32_t group, uint64_t stamp);
uint32_t map_clear_span(struct labyrinth *l, uint32_t span, uint64_t stamp);

static inline bool group_may_be_free(const struct labyrinth *l, uint32_t group)
{
    return lv(&l->advice[group].maybe_free) != 0;
}

static inline bool span_may_be_free(const struct labyrinth *l, uint32_t span)
{
    return lv(&l->advice[l->groups + span].maybe_free) != 0;
}

/* ------------------------------------------------------------------------------------------------ zone.c */

uint64_t zone_stripe_longs(uint32_t frames, uint64_t processors);
void zone_start_stripes(struct labyrinth *l);
void zone_count(const struct labyrinth *l, struct labyrinth_stats *stats);
/* The number of looks at words and advice in the last walk of the thread's stripe; for tests. */
uint64_t zone_last_walk_steps(const struct labyrinth *l, uint64_t thread);

/* ------------------------------------------------------------------------------------------------ tenants.c */

enum labyrinth_error tenant_enter(struct labyrinth *l);
void tenant_leave(struct labyrinth *l, bool nothing_out);
int tenant_unlock(const struct labyrinth *l);

/* ------------------------------------------------------------------------------------------------ page_map_scan.c */

/* The number of frames that this tenant has out: claimed, or in transit with its ticket. */
uint64_t frames_out(const struct labyrinth *l, uint64_t tenant, uint64_t *runs);

#endif
