/* SPDX-License-Identifier: Apache-2.0
 *
 * labyrinth_api.h: the functions with which a C program uses a shared labyrinth. labyrinth.h is the layout that all
 * processes agree on. The functions here keep the rules of the Java side: the same words, steps and refusals.
 *
 *     struct labyrinth labyrinth;
 *     if (labyrinth_attach(&labyrinth, "/dev/shm/net-rx", LABYRINTH_LOCK_REQUIRED) != LABYRINTH_OK) {
 *         labyrinth_explain(text, sizeof text);                   fact, limit and remedy, in one sentence
 *     }
 *     uint64_t frame = labyrinth_alloc_page_gfp_atomic_exclusive(&labyrinth);    0: nothing within reach, said at once
 *     char *bytes = labyrinth_address(&labyrinth, frame);
 *     labyrinth_free(&labyrinth, frame);
 *
 * Handles and tickets are the 64-bit ones of labyrinth.h: the name of a frame in one generation. 0 is no handle.
 *
 * Errors. Each function names the errors that it may return. A function that returns a handle, an address or a number
 * returns 0 (labyrinth_order: -1) if it is refused, and labyrinth_last_error says why. Any handle is allowed as an
 * argument: a wrong one is refused, and never crashes.
 *
 * Threads. There are three kinds of functions:
 *   (any)     any thread may call it at any time. It takes no lock and makes no system call and no malloc. Allocation
 *             is lock-free, and the free of an EXCLUSIVE run is wait-free: a thread or process that is frozen anywhere
 *             stops no other.
 *   (pass)    any thread may call it at any time. It looks at every page word, so its time grows with the frames.
 *   (alone)   one thread calls it, while no other thread is in a call with the same struct. It makes system calls.
 * An EXCLUSIVE run belongs to the thread that allocated or accepted it.
 *
 * Processes. A forked child has nothing of its parent's labyrinth mapped and must attach by itself. Until it ends or
 * calls exec, it also has a copy of the parent's sign of life, the lock. If the parent dies first, processes in its pid
 * namespace see by its pid that it is dead (after the parent's own parent has waited for it), and sweep it. Processes
 * in another namespace, and a newcomer that wants the slot, wait for the child. More: labyrinth.h, "Tenants".
 */
#ifndef LABYRINTH_API_H
#define LABYRINTH_API_H

#include "labyrinth.h"
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LABYRINTH_API __attribute__((visibility("default")))

/* Why a call was refused. A refusal changes neither the page map nor the mapping. CLOSE_REFUSED is the exception. */
enum labyrinth_error {
    LABYRINTH_OK = 0,
    LABYRINTH_INVALID_REQUEST, /* a size, an order or a combination of flags that no labyrinth can serve */
    LABYRINTH_STALE,           /* the generation of the handle or ticket has ended */
    LABYRINTH_NOT_OWNER,       /* the run is EXCLUSIVE, and belongs to another thread or process */
    LABYRINTH_FOREIGN,         /* the handle names a frame that this labyrinth does not have */
    LABYRINTH_HELD_OTHERWISE,  /* a Frame of Java holds the run: its memory views must die with it */
    LABYRINTH_CLOSED,          /* the struct is detached */
    LABYRINTH_FRAMES_OUT,      /* cannot detach: runs or tickets of this tenant are out */
    LABYRINTH_MAP_REFUSED,     /* the system would not open, size, reserve or map the file */
    LABYRINTH_LOCK_REFUSED,    /* the system would not lock so much memory */
    LABYRINTH_NOT_A_LABYRINTH, /* no header, or one that is torn, truncated, corrupted, or of another version */
    LABYRINTH_UNSEALED,        /* a file without a name, whose maker could still truncate it */
    LABYRINTH_NO_VACANCY,      /* every slot has a living tenant */
    LABYRINTH_VIOLATION,       /* validate: an invariant does not hold */
    LABYRINTH_CLOSE_REFUSED,   /* detached, but the system kept a mapping or the slot: detach again */
};

/* Request flags, with the bits of Java's Gfp. */
#define LABYRINTH_GFP_HIGH 1U       /* may use the reserve, after the rest of the labyrinth had nothing */
#define LABYRINTH_GFP_ZERO 2U       /* the run reads as zeros */
#define LABYRINTH_GFP_EXCLUSIVE 4U  /* only the owner thread may touch, free or pass on the run */
#define LABYRINTH_GFP_NOMEMALLOC 8U /* never the reserve; contradicts HIGH */
#define LABYRINTH_GFP_NOWARN 16U    /* the caller expects a 0: it is counted apart */
#define LABYRINTH_GFP_NOWAIT 0U     /* all of the labyrinth, not the reserve: alone, 0 only if nothing is free */
#define LABYRINTH_GFP_ATOMIC (32U | LABYRINTH_GFP_HIGH) /* a sprint: a short walk, then the reserve, then 0 */
#define LABYRINTH_GFP_ATOMIC_EXCLUSIVE (LABYRINTH_GFP_ATOMIC | LABYRINTH_GFP_EXCLUSIVE)

/* Whether the pages must be locked. PREFERRED locks if the system allows it; labyrinth_stats.locked says whether. */
enum labyrinth_locking {
    LABYRINTH_LOCK_REQUIRED,
    LABYRINTH_LOCK_PREFERRED,
    LABYRINTH_LOCK_NONE,
};

/* One attachment, in the caller's memory. Its fields belong to the library: a program neither reads, writes nor copies
 * them. A struct needs no initialization before it is created in or attached, and must not be attached already.
 */
struct labyrinth {
    uint32_t frames;   /* 0 when detached, so that every handle is out of bounds */
    uint32_t ordinary; /* pfns below this one are for every request; the rest is the reserve */
    uint64_t tenant;   /* of this attachment, in its place in the word */
    struct labyrinth_page *pages;
    struct labyrinth_advice *advice;
    uint64_t *stripes;
    uint64_t stripe_mask; /* the number of longs in all stripes, less 1 */
    char *memory;         /* of the first frame */
    uint32_t page_size;
    uint32_t groups;
    int32_t span_shift; /* log2 of the groups in a span, or -1 if there are no spans */
    uint32_t spans;
    uint32_t slot; /* the tenant's number */
    uint32_t sweeping;
    struct labyrinth_tenant *tenants;
    uint64_t first_generation;
    void *mapped;
    uint64_t mapped_bytes;
    uint64_t metadata_bytes;
    int fd; /* of an open file description that this attachment has alone: the slot's lock depends on it */
    int locked;
    int forks;                /* 1 if the system would not keep the memory from forked children */
    uint64_t still_locked[8]; /* a bit for each byte whose lock could not be released after a sweep */
    char name[LABYRINTH_NAME_BYTES];
};

/* Counted from the page words, one after the other: exact for a labyrinth at rest. Frames, if nothing else is said. */
struct labyrinth_stats {
    uint64_t frames;
    uint64_t page_size;   /* bytes */
    uint64_t free;        /* for every request; without the free ones of the reserve */
    uint64_t reserve;     /* in the reserve, free or not */
    uint64_t reserve_free;
    uint64_t claimed;     /* with an owner, of any tenant */
    uint64_t mine;        /* claimed or in transit by this attachment */
    uint64_t in_transit;  /* with a ticket out */
    uint64_t quarantined; /* out of use for good */
    uint64_t free_runs[LABYRINTH_MAX_ORDER + 1]; /* the number of free runs by order, as they lie; with the reserve's */
    uint64_t lives_ended;         /* generations ended: frees, hand-overs and sweeps so far, of all tenants */
    uint64_t refused_approx;      /* requests of this attachment that got 0; this and the next two may miss some */
    uint64_t reserve_hits_approx; /* requests of this attachment that the reserve served */
    uint64_t lost_approx;         /* claims of this attachment whose compare-and-set found another word */
    uint64_t mapped_bytes;
    uint64_t metadata_bytes; /* of mapped_bytes, those before the frames */
    uint64_t tenants;        /* slots that are not vacant */
    uint64_t locked;         /* 1 or 0: whether this attachment's pages are locked */
};

/* ------------------------------------------------------------------------------------------------ create, attach */

/* Creates a labyrinth in a new file of a memory file system, and attaches to it. (alone) Blocks: it reserves, maps,
 * faults in and locks all of the file.
 *
 * path     of the new file, which must not exist. The file has the mode 0600. If the call fails, the file is removed
 *          again. Otherwise it is the caller's to unlink.
 * name     for people: UTF-8, at most LABYRINTH_NAME_BYTES - 1 bytes.
 * frames   1 to 2^24, of one page each.
 * reserve  frames for HIGH requests alone: 0 to frames - 1.
 *
 * INVALID_REQUEST (an argument out of its range, or no memory file system), MAP_REFUSED (the file exists, the
 * machine, a cgroup or the file system has no room, or the system refuses a call), LOCK_REFUSED
 * (LABYRINTH_LOCK_REQUIRED only). A file system without room for all of the file is left as it was.
 */
LABYRINTH_API enum labyrinth_error labyrinth_create(struct labyrinth *labyrinth, const char *path, const char *name,
                                                    uint64_t frames, uint64_t reserve, enum labyrinth_locking locking);

/* The same in a memfd, sealed against shrinking and growing. (alone)
 *
 * fd       gets the memfd, close-on-exec, or -1 if the call fails. The caller passes it to other processes and closes
 *          it. The attachment has a descriptor of its own. (Never pass that one: its copy would be a sign of life.)
 *
 * The errors are those of labyrinth_create. MAP_REFUSED also if the system has no memfd_create.
 */
LABYRINTH_API enum labyrinth_error labyrinth_create_memfd(struct labyrinth *labyrinth, const char *name,
                                                          uint64_t frames, uint64_t reserve,
                                                          enum labyrinth_locking locking, int *fd);

/* Joins a labyrinth as a tenant of its own. (alone) Blocks: it maps, faults in and locks all of the file, and sweeps
 * the slot that it takes if the last tenant there died.
 *
 * fd       of the labyrinth's file. It stays the caller's. The library opens the file anew, by /proc/self/fd.
 *
 * INVALID_REQUEST (no such locking, or the file is on no memory file system), MAP_REFUSED (there is no such file, or
 * the system does not let this process open, reserve, map or lock a byte of it), LOCK_REFUSED (LABYRINTH_LOCK_REQUIRED
 * only), NOT_A_LABYRINTH, UNSEALED, NO_VACANCY. If an attach fails and the system refuses to unmap, the rest stays
 * noted in the struct: detach then goes on. Otherwise detach says CLOSED after an attach that failed.
 */
LABYRINTH_API enum labyrinth_error labyrinth_attach(struct labyrinth *labyrinth, const char *path,
                                                    enum labyrinth_locking locking);
LABYRINTH_API enum labyrinth_error labyrinth_attach_fd(struct labyrinth *labyrinth, int fd,
                                                       enum labyrinth_locking locking);

/* Leaves. (alone)
 *
 * FRAMES_OUT: runs that this tenant claimed, or tickets that it gave, are out. It is still attached.
 * CLOSE_REFUSED: it has left, but the system kept a mapping, or would not release the slot's lock. Detach again: that
 * goes on from there.
 * CLOSED: it was not attached, and nothing is left to do.
 */
LABYRINTH_API enum labyrinth_error labyrinth_detach(struct labyrinth *labyrinth);

/* Leaves as if the process had died: the next sweep takes back what is out. (alone) CLOSE_REFUSED, CLOSED. */
LABYRINTH_API enum labyrinth_error labyrinth_detach_now(struct labyrinth *labyrinth);

/* ------------------------------------------------------------------------------------------------ allocate, free */

/* The handle of a run of 2^order frames. (any) Lock-free, in a bounded number of steps. An EXCLUSIVE run belongs to the
 * calling thread. Any thread of any tenant may use a run that is not EXCLUSIVE, and free it once. Without ZERO the run
 * has whatever was written there last; with ZERO the call writes all of it.
 *
 * gfp      LABYRINTH_GFP_ flags, combined by |. HIGH and NOMEMALLOC contradict each other.
 * order    0 to LABYRINTH_MAX_ORDER.
 *
 * 0 if nothing was found within reach: labyrinth_last_error is then LABYRINTH_OK. 0 also with INVALID_REQUEST (the
 * order or the flags) or CLOSED. labyrinth_alloc_page: the same of order 0. The last one: of order 0, ATOMIC and
 * EXCLUSIVE.
 */
LABYRINTH_API uint64_t labyrinth_alloc_pages(struct labyrinth *labyrinth, uint32_t gfp, uint32_t order);
LABYRINTH_API uint64_t labyrinth_alloc_page(struct labyrinth *labyrinth, uint32_t gfp);
LABYRINTH_API uint64_t labyrinth_alloc_page_gfp_atomic_exclusive(struct labyrinth *labyrinth);

/* Frees the run, and ends this generation of it. (any) Wait-free for an EXCLUSIVE run, one compare-and-set otherwise.
 *
 * STALE (freed, handed over or swept before), NOT_OWNER, FOREIGN, HELD_OTHERWISE, CLOSED.
 */
LABYRINTH_API enum labyrinth_error labyrinth_free(struct labyrinth *labyrinth, uint64_t handle);

/* Ends this generation of the run and puts it in transit. (any) Returns the ticket, for any thread of any process; what
 * the giver wrote stays in the run. A ticket that nobody accepts keeps the giver from detaching.
 *
 * 0 with the errors of labyrinth_free. STALE also in the last generation, which has no next one: free the run instead.
 */
LABYRINTH_API uint64_t labyrinth_hand_off(struct labyrinth *labyrinth, uint64_t handle);

/* Accepts the run in transit for the calling thread, with what the giver wrote. (any) Returns its handle, which equals
 * the ticket.
 *
 * 0 with STALE (accepted before, or the giver has died and was swept), FOREIGN or CLOSED.
 */
LABYRINTH_API uint64_t labyrinth_accept(struct labyrinth *labyrinth, uint64_t ticket);

/* ------------------------------------------------------------------------------------------------ memory */

/* The run's memory, its order, and its size in bytes. (any) The memory is aligned to the size of the run, up to 2 MiB,
 * and may be used until the handle's generation ends.
 *
 * NULL, -1 and 0 with STALE, NOT_OWNER, FOREIGN or CLOSED.
 */
LABYRINTH_API void *labyrinth_address(struct labyrinth *labyrinth, uint64_t handle);
LABYRINTH_API int labyrinth_order(struct labyrinth *labyrinth, uint64_t handle);
LABYRINTH_API size_t labyrinth_byte_size(struct labyrinth *labyrinth, uint64_t handle);

/* The memory of all frames, in pfn order, until the detach. (any) It is to be registered once with io_uring, RDMA or a
 * GPU. A program that reads or writes a frame which it does not own breaks every promise of this library.
 *
 * bytes    gets the size: frames * page_size. 0, and the result is NULL, if the struct is detached; no error is noted.
 */
LABYRINTH_API void *labyrinth_frames(struct labyrinth *labyrinth, size_t *bytes);

/* ------------------------------------------------------------------------------------------------ sweep, look */

/* Takes back what dead tenants left. (pass) It makes system calls. Any number of processes may sweep at once. While one
 * thread sweeps, a sweep by another thread through the same attachment returns 0 and does nothing.
 *
 * Returns the number of frames freed. 0 with CLOSED. If the system does not grant or tell locks, it stops there, and
 * labyrinth_last_error is MAP_REFUSED.
 */
LABYRINTH_API uint64_t labyrinth_sweep(struct labyrinth *labyrinth);

/* Fills in the statistics. (pass) While others allocate, each figure may be of another moment. CLOSED. */
LABYRINTH_API enum labyrinth_error labyrinth_count(struct labyrinth *labyrinth, struct labyrinth_stats *stats);

/* Checks every invariant from the words alone. (pass) Meant for a labyrinth at rest: while others allocate, it may
 * report what is only half done. VIOLATION, which labyrinth_explain describes; CLOSED.
 */
LABYRINTH_API enum labyrinth_error labyrinth_validate(struct labyrinth *labyrinth);

/* ------------------------------------------------------------------------------------------------ errors */

/* The calling thread's last refusal, in any labyrinth. (any) LABYRINTH_OK after an allocation that found nothing, and
 * before the first refusal. Any other call that succeeds leaves it as it was.
 */
LABYRINTH_API enum labyrinth_error labyrinth_last_error(void);

/* The error's name without LABYRINTH_, for example "STALE"; "UNKNOWN" for any other number. (any) Never NULL. */
LABYRINTH_API const char *labyrinth_error_name(enum labyrinth_error error);

/* Writes what labyrinth_last_error is about, in one sentence with the fact, the limit and the remedy. Returns text. Any
 * thread may call it at any time.
 *
 * bytes    the size of text. The sentence ends with a zero byte, and is cut if it is longer; 1024 bytes are enough.
 */
LABYRINTH_API const char *labyrinth_explain(char *text, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
