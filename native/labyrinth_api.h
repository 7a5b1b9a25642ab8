/* SPDX-License-Identifier: Apache-2.0
 *
 * labyrinth_api.h: a shared labyrinth, from C. The layout that all processes agree on is labyrinth.h; this is what a C
 * program calls, and it keeps the rules of the Java side: the same words, the same steps, the same refusals.
 *
 *     struct labyrinth labyrinth;
 *     if (labyrinth_attach(&labyrinth, "/dev/shm/net-rx", LABYRINTH_LOCK_REQUIRED) != LABYRINTH_OK) {
 *         labyrinth_explain(text, sizeof text);                   fact, limit and remedy, in one sentence
 *     }
 *     uint64_t frame = labyrinth_alloc_page_gfp_atomic_exclusive(&labyrinth);    0: nothing within reach, said at once
 *     char *bytes = labyrinth_address(&labyrinth, frame);
 *     labyrinth_free(&labyrinth, frame);
 *
 * Handles and tickets are the 64-bit ones of labyrinth.h: a frame's name for one life of it; 0 is none.
 *
 * Threads: what has a handle or a ticket as its argument or result may be called by any thread, at any time; it takes
 * no lock, calls no system and no malloc. Allocation is lock-free, to free an EXCLUSIVE run is wait-free: a thread or
 * process that is frozen anywhere stops no other. An EXCLUSIVE run belongs to the thread that allocated or accepted it.
 * What attaches and detaches is for one thread, while no other is in a call with the same struct.
 *
 * Processes: a child that was forked has nothing of its parent's labyrinth mapped and must attach by itself. Until it
 * ends or calls exec, it also keeps a copy of the parent's sign of life, the lock. If the parent dies before, those in
 * its pid namespace see by its pid that it has (once its own parent has waited for it), and sweep it; those in another
 * namespace, and whoever wants the slot, wait for the child. More: labyrinth.h, "Tenants".
 */
#ifndef LABYRINTH_API_H
#define LABYRINTH_API_H

#include "labyrinth.h"
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LABYRINTH_API __attribute__((visibility("default")))

/* Why a call was refused. A refusal changes nothing: not the page map, and not the mapping; but for CLOSE_REFUSED. */
enum labyrinth_error {
    LABYRINTH_OK = 0,
    LABYRINTH_INVALID_REQUEST, /* a size, an order or a combination of flags that no labyrinth can serve */
    LABYRINTH_STALE,           /* the handle or ticket is of a life that has ended */
    LABYRINTH_NOT_OWNER,       /* the run is EXCLUSIVE, and another thread's or process's */
    LABYRINTH_FOREIGN,         /* the handle names a frame that this labyrinth does not have */
    LABYRINTH_HELD_OTHERWISE,  /* a Frame of Java holds the run: its memory views must die with it */
    LABYRINTH_CLOSED,          /* detached */
    LABYRINTH_FRAMES_OUT,      /* cannot detach: runs or tickets of this tenant are out */
    LABYRINTH_MAP_REFUSED,     /* the system would not open, size or map the file */
    LABYRINTH_LOCK_REFUSED,    /* the system would not lock so much memory */
    LABYRINTH_NOT_A_LABYRINTH, /* no header, or one that is torn, truncated, corrupted, or of another version */
    LABYRINTH_UNSEALED,        /* a memfd that its maker could still truncate under us */
    LABYRINTH_NO_VACANCY,      /* every tenant's slot is taken by a living process */
    LABYRINTH_VIOLATION,       /* validate: an invariant does not hold */
    LABYRINTH_CLOSE_REFUSED,   /* detached, but for a mapping or the slot that the system kept: detach again */
};

/* Request flags, by the bits of Java's Gfp. */
#define LABYRINTH_GFP_HIGH 1U       /* may use the reserve, once the rest of the labyrinth has nothing */
#define LABYRINTH_GFP_ZERO 2U       /* the run reads as zeros */
#define LABYRINTH_GFP_EXCLUSIVE 4U  /* only the owner thread may touch, free or pass on the run */
#define LABYRINTH_GFP_NOMEMALLOC 8U /* never the reserve; contradicts HIGH */
#define LABYRINTH_GFP_NOWARN 16U    /* a null is expected: it is counted apart */
#define LABYRINTH_GFP_NOWAIT 0U     /* the whole labyrinth, not the reserve: null only if nothing is free */
#define LABYRINTH_GFP_ATOMIC (32U | LABYRINTH_GFP_HIGH) /* a sprint: a short walk, then the reserve, then null */
#define LABYRINTH_GFP_ATOMIC_EXCLUSIVE (LABYRINTH_GFP_ATOMIC | LABYRINTH_GFP_EXCLUSIVE)

/* Whether the pages must be locked; PREFERRED locks what the system allows, and says so in the stats. */
enum labyrinth_locking {
    LABYRINTH_LOCK_REQUIRED,
    LABYRINTH_LOCK_PREFERRED,
    LABYRINTH_LOCK_NONE,
};

/* One attachment, in the caller's memory. Its fields are the library's; none is ever a reader's business. */
struct labyrinth {
    uint32_t frames;   /* 0 when detached, so that every handle is out of bounds */
    uint32_t ordinary; /* frames below this one are for everybody; the rest is the reserve */
    uint64_t tenant;   /* this attachment's, in the word's place */
    struct labyrinth_page *pages;
    struct labyrinth_advice *advice;
    uint64_t *stripes;
    uint64_t stripe_mask; /* longs in all stripes, less 1 */
    char *memory;       /* of the first frame */
    uint32_t page_size;
    uint32_t groups;
    int32_t span_shift; /* log2 of the groups in a span, or -1 where there are no spans */
    uint32_t spans;
    uint32_t slot; /* the tenant's number */
    uint32_t sweeping;
    struct labyrinth_tenant *tenants;
    uint64_t first_generation;
    void *mapped;
    uint64_t mapped_bytes;
    uint64_t metadata_bytes;
    int fd; /* of an open file description that nobody else has: the lock of the slot hangs on it */
    int locked;
    int forks;               /* 1 if the system would not keep the memory from forked children */
    uint64_t still_locked[8]; /* a bit for each byte whose lock could not be given up after a sweep */
    char name[LABYRINTH_NAME_BYTES];
};

/* Counted from the page words, one after the other: exact for a labyrinth at rest. Frames unless it says otherwise. */
struct labyrinth_stats {
    uint64_t frames;
    uint64_t page_size;   /* bytes */
    uint64_t free;        /* that anybody may have; those of the reserve not counted */
    uint64_t reserve;     /* in the reserve */
    uint64_t reserve_free;
    uint64_t claimed;     /* that have an owner, of any tenant */
    uint64_t mine;        /* claimed or in transit by this attachment */
    uint64_t in_transit;  /* whose ticket is out */
    uint64_t quarantined; /* out of use for good */
    uint64_t free_runs[LABYRINTH_MAX_ORDER + 1]; /* by order, as they lie */
    uint64_t lives_ended;                        /* frees, hand-overs and sweeps so far, of all tenants */
    uint64_t refused_approx; /* requests that got null, reserve_hits, lost: of this attachment, counted by races */
    uint64_t reserve_hits_approx;
    uint64_t lost_approx;
    uint64_t mapped_bytes;
    uint64_t metadata_bytes;
    uint64_t tenants; /* slots that are not vacant */
    uint64_t locked;  /* 1 or 0 */
};

/* Creates a labyrinth in a new file, of a memory file system, and attaches to it. Blocks. All of the file is reserved
 * there first: a file system without room for it refuses (MAP_REFUSED) and is as it was. The file is removed again if
 * anything fails; later it is the caller's to unlink. frames: 1 to 2^24; reserve: 0 to frames - 1.
 */
LABYRINTH_API enum labyrinth_error labyrinth_create(struct labyrinth *labyrinth, const char *path, const char *name,
                                                    uint64_t frames, uint64_t reserve, enum labyrinth_locking locking);

/* The same in a memfd, sealed against shrinking and growing. *fd is the caller's, to be passed to other processes and
 * closed; this attachment has one of its own. (Never pass that one: its copy would be a sign of life.)
 */
LABYRINTH_API enum labyrinth_error labyrinth_create_memfd(struct labyrinth *labyrinth, const char *name,
                                                          uint64_t frames, uint64_t reserve,
                                                          enum labyrinth_locking locking, int *fd);

/* Joins a labyrinth as a tenant of its own. Blocks while it maps. The fd stays the caller's; it is opened anew, by
 * /proc/self/fd.
 */
LABYRINTH_API enum labyrinth_error labyrinth_attach(struct labyrinth *labyrinth, const char *path,
                                                    enum labyrinth_locking locking);
LABYRINTH_API enum labyrinth_error labyrinth_attach_fd(struct labyrinth *labyrinth, int fd,
                                                       enum labyrinth_locking locking);

/* Leaves. Refused with FRAMES_OUT while runs that this tenant claimed, or tickets that it gave, are out. With
 * CLOSE_REFUSED it has left, but something is still mapped or, by the system's own refusal, locked: detach again, which
 * goes on from there. (So, too, behind an attach that failed, if that could not unmap; else detach says CLOSED then.)
 */
LABYRINTH_API enum labyrinth_error labyrinth_detach(struct labyrinth *labyrinth);

/* Leaves as if the process had died: what is out is for the next sweep. */
LABYRINTH_API enum labyrinth_error labyrinth_detach_now(struct labyrinth *labyrinth);

/* A run of 2^order frames for the calling thread. 0 if nothing was found, and then labyrinth_last_error is
 * LABYRINTH_OK; or if the request was refused: INVALID_REQUEST, CLOSED. alloc_page: of order 0.
 */
LABYRINTH_API uint64_t labyrinth_alloc_pages(struct labyrinth *labyrinth, uint32_t gfp, uint32_t order);
LABYRINTH_API uint64_t labyrinth_alloc_page(struct labyrinth *labyrinth, uint32_t gfp);
LABYRINTH_API uint64_t labyrinth_alloc_page_gfp_atomic_exclusive(struct labyrinth *labyrinth);

/* Ends this life of the run: STALE, NOT_OWNER, FOREIGN, HELD_OTHERWISE, CLOSED. */
LABYRINTH_API enum labyrinth_error labyrinth_free(struct labyrinth *labyrinth, uint64_t handle);

/* Ends this life of the run and gives the ticket to its next, for anybody in any process; 0 if refused, as a free. */
LABYRINTH_API uint64_t labyrinth_hand_off(struct labyrinth *labyrinth, uint64_t handle);

/* The run in transit, now the calling thread's, with what the giver wrote; 0 if refused: STALE if the ticket was
 * accepted before, or its giver has died and was swept.
 */
LABYRINTH_API uint64_t labyrinth_accept(struct labyrinth *labyrinth, uint64_t ticket);

/* The run's memory, order and bytes, after the checks of an access; NULL, -1 and 0 if refused. */
LABYRINTH_API void *labyrinth_address(struct labyrinth *labyrinth, uint64_t handle);
LABYRINTH_API int labyrinth_order(struct labyrinth *labyrinth, uint64_t handle);
LABYRINTH_API size_t labyrinth_byte_size(struct labyrinth *labyrinth, uint64_t handle);

/* The memory of all frames, in pfn order: to be registered once with io_uring, RDMA or a GPU. Whoever reads or writes a
 * frame that it does not own breaks every promise of this library.
 */
LABYRINTH_API void *labyrinth_frames(struct labyrinth *labyrinth, size_t *bytes);

/* Takes back what tenants left that have died; any number of processes may be at it. The frames freed; 0 also while
 * another thread sweeps through the same attachment. Where the system does not grant or tell locks, it stops there, and
 * labyrinth_last_error is MAP_REFUSED.
 */
LABYRINTH_API uint64_t labyrinth_sweep(struct labyrinth *labyrinth);

LABYRINTH_API enum labyrinth_error labyrinth_count(struct labyrinth *labyrinth, struct labyrinth_stats *stats);

/* Checks every invariant of a labyrinth at rest from the words alone. */
LABYRINTH_API enum labyrinth_error labyrinth_validate(struct labyrinth *labyrinth);

/* The calling thread's last refusal, and what is to be said of it; after an allocation that found nothing, OK. */
LABYRINTH_API enum labyrinth_error labyrinth_last_error(void);
LABYRINTH_API const char *labyrinth_error_name(enum labyrinth_error error);
LABYRINTH_API const char *labyrinth_explain(char *text, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
