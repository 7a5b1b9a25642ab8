/* SPDX-License-Identifier: Apache-2.0
 *
 * labyrinth.h: the layout of a labyrinth, and the contract between all who touch one.
 *
 * This header is the only definition of the page word. Java reads it through what jextract makes of it (bindings/),
 * C includes it; a test compiles it and compares every number below with what the Java side uses.
 *
 * A labyrinth is a maze of frames. It is tiled by *runs*: a run is 2^order frames, aligned to its size. Each frame has
 * one descriptor, `struct labyrinth_page`; the descriptor of a run's first frame (its head) speaks for the whole run,
 * those of its other frames are TAIL. So for every labyrinth at rest
 *
 *     sum over all heads of 2^order == frames,   and   no frame is covered by two heads            (the tiling)
 *
 * and whoever changes the head's word with a compare-and-set owns the run, whatever its order: one CAS, one owner.
 */
#ifndef LABYRINTH_H
#define LABYRINTH_H

#include <stdint.h>

/* The page word.
 *
 *   63                                    24 23      16 15       8 7     4 3     0
 *  +----------------------------------------+----------+----------+-------+-------+
 *  |               generation               |  tenant  |  flags   | order | state |
 *  +----------------------------------------+----------+----------+-------+-------+
 *
 * generation  the life that the frame is in; ends, and goes up by one, with every release and every hand-over of a
 *             handle that somebody may know. It never wraps: a frame whose generation is used up is QUARANTINED.
 * tenant      the process that claimed the run, 0 while FREE; 1 in a private labyrinth; see below for shared ones.
 * flags       below, 0 while FREE.
 * order       of the run that this word heads; means nothing in a TAIL.
 * state       below. 0 is no state: a word that was never written is never taken for a free frame.
 *
 * The only transitions, each by the one who may make it. (+1) says that a life ends with it:
 *
 *   FREE       -> HEAD             anybody, by CAS                              claim
 *   HEAD       -> FREE (+1)        EXCLUSIVE: the owner, by a release store     release
 *                                  otherwise: anybody, once, by CAS, where the claimer has signed
 *                                  the owner has ended, or never knew: by CAS   sweep; mending after an error
 *   IN_TRANSIT -> FREE (+1)        the tenant that gave it has died, by CAS     sweep of a tenant; in the last life
 *                                                                               QUARANTINED, as a HEAD below
 *   HEAD       -> TAIL             its run's tenant has died half-way through   sweep of a tenant
 *                                  a split or a join, by CAS
 *   HEAD       -> FREE             the claimer, whose handle nobody has seen    a split's upper half; a join's rollback
 *   HEAD       -> IN_TRANSIT (+1)  as in a release                              hand-over
 *   IN_TRANSIT -> HEAD             whoever has the ticket, once, by CAS         accept; the tenant is the accepter's
 *   HEAD       -> IN_TRANSIT       the accepter, whose error struck, by CAS     an accept's rollback
 *   HEAD       -> TAIL             the owner of the head before it              the run grows (runs are joined)
 *   TAIL       -> HEAD             the owner of the head before it              the run shrinks (it is split)
 *   HEAD       -> QUARANTINED      as in a release, in the last life            generations used up
 *   FREE      <-> QUARANTINED      the closing thread, by CAS                   the labyrinth closes; or may not
 */
#define LABYRINTH_STATE_SHIFT 0
#define LABYRINTH_STATE_BITS 4
#define LABYRINTH_ORDER_SHIFT 4
#define LABYRINTH_ORDER_BITS 4
#define LABYRINTH_FLAGS_SHIFT 8
#define LABYRINTH_FLAGS_BITS 8
#define LABYRINTH_TENANT_SHIFT 16
#define LABYRINTH_TENANT_BITS 8
#define LABYRINTH_GENERATION_SHIFT 24
#define LABYRINTH_GENERATION_BITS 40

enum labyrinth_state {
    LABYRINTH_FREE = 1,
    LABYRINTH_HEAD = 2,
    LABYRINTH_TAIL = 3,
    LABYRINTH_IN_TRANSIT = 4,
    LABYRINTH_QUARANTINED = 5,
};

/* Flags of a claimed word. EXCLUSIVE: only the owner may touch, free or pass on the run. FRAMED, with EXCLUSIVE only: a
 * descriptor object holds the run, with memory views that die with it, so a bare handle may not end its life.
 */
#define LABYRINTH_EXCLUSIVE 1
#define LABYRINTH_FRAMED 2

/* The tenant of every claim in a labyrinth that is not shared; no tenant of a shared one has this number, so that a
 * word that has it says by itself that it is the process's own.
 */
#define LABYRINTH_TENANT_PRIVATE 1

/* The frame descriptor: what `struct page` is to the kernel. 16 bytes a frame, 16-byte aligned, index = pfn.
 *
 * word   above. Only single-word CAS and release stores change it, only acquire loads read it.
 * owner  who claimed the run, stored by the claimer (release) after its CAS, and never cleared:
 *
 *   63   62                   52 51                                                  0
 *  +----+-----------------------+-----------------------------------------------------+
 *  |virt|  generation, 11 bits  |                      thread id                      |
 *  +----+-----------------------+-----------------------------------------------------+
 *
 *        virt says that it is a virtual thread, whose life only the JVM that runs it can tell. Where the 11 bits are
 *        not the lowest of the word's generation, the owner word is of an earlier life: the claimer has won its CAS and
 *        not yet signed, and the tenant alone says who. (Every life signs its frame once, so an owner word is one life
 *        old at that point, and 11 bits are plenty; 2^52 thread ids last 142 years at a million threads a second.)
 */
#define LABYRINTH_OWNER_ID_BITS 52
#define LABYRINTH_OWNER_GENERATION_BITS 11
#define LABYRINTH_OWNER_VIRTUAL (1ULL << 63)

struct labyrinth_page {
    uint64_t word;
    uint64_t owner;
};

/* Advice: "there may be a free head here". One for every group of 2^LABYRINTH_GROUP_ORDER frames, and, where there are
 * more than LABYRINTH_MAX_SPANS groups, one for every span of groups. A line each, so that frees of different groups
 * share no cache line.
 *
 * 0 says no, all else says maybe. Whoever makes a word FREE stores 1 here *after* it (release), always, without looking
 * first. Whoever wants to clear it puts a stamp of its own here by CAS (acquire; tenant and thread id, never 1), *then*
 * looks at the words, and if none is FREE changes its stamp to 0 by CAS. Either the first CAS came after the freer's 1,
 * and then the look sees its word; or the freer's 1 replaced the stamp, and the second CAS fails. That is message
 * passing, so release and acquire suffice, and a free needs no fence. One that stops halfway leaves a "maybe".
 *
 * What this asks of the CPU beyond C11: where the 1 of a freer replaces that of another, and the CAS reads the second,
 * the look must see the first one's word as well. So it is wherever a store that one other core sees, all see (x86,
 * Armv8, RISC-V); on POWER the 1 would have to be an exchange.
 */
struct labyrinth_advice {
    uint64_t maybe_free;
    uint64_t unused[7];
};

/* Geometry. */
#define LABYRINTH_MAX_ORDER 10
#define LABYRINTH_GROUP_ORDER 6
#define LABYRINTH_ROW_ORDER 9 /* 512 frames: what a person sees as one row of the labyrinth */
#define LABYRINTH_MAX_SPANS 256
#define LABYRINTH_MAX_FRAMES (1 << 24)

/* The handle, one frame's name for one life of it; 0 is no handle.
 *
 *   63                                    24 23                                  0
 *  +----------------------------------------+-------------------------------------+
 *  |               generation               |                 pfn                 |
 *  +----------------------------------------+-------------------------------------+
 */
#define LABYRINTH_PFN_BITS 24

/* ---------------------------------------------------------------------------------------------- shared labyrinths
 *
 * A labyrinth that processes share is one file of a memory file system, or a memfd:
 *
 *   0                  struct labyrinth_header, in a page of its own
 *   tenants_offset     struct labyrinth_tenant[LABYRINTH_TENANTS]
 *   page_map_offset    struct labyrinth_page[frames], to a multiple of 64 bytes; then struct labyrinth_advice of the
 *                      groups; then, where there are more than LABYRINTH_MAX_SPANS groups, that of the spans
 *   frames_offset      the frames, page_size bytes each
 *   file_bytes         the end, and so the file's length
 *
 * Each part begins on the first multiple of page_size at or after the end of the one before: there is one header for a
 * name, a number of frames, a reserve, a generation and a page size. Nothing lies between the parts or after the last.
 *
 * The header never changes once the magic is there. The creator makes the file as long as it will be, has the file
 * system reserve all of it, and seals the length of a memfd (F_SEAL_SHRINK, F_SEAL_GROW). It writes all else: words,
 * tiled and advised, tenants, the header, its crc; and then stores the magic (release).
 *
 * Whoever attaches reads the header by a system call, which a file that is cut meanwhile cannot make fatal; the magic
 * first, and the rest by a later call. It refuses what is no regular file, what is on no memory file system (one that
 * knows no seals), and a header of which anything said here is not so. Then it looks at the links: a file without a
 * name must be sealed. Last comes the length, as until here anybody may have changed it: it must be file_bytes. What it
 * then uses are the numbers that it has checked, never the file's again; and it loads the magic (acquire) through its
 * mapping before all else there, so that it sees the words that were written before. Java and C refuse the same files.
 */
#define LABYRINTH_MAGIC 0x314854525942414cULL /* "LABYRTH1" in the memory of a little-endian machine */
#define LABYRINTH_VERSION 2
#define LABYRINTH_BYTE_ORDER 0x01020304
#define LABYRINTH_NAME_BYTES 64

struct labyrinth_header {
    uint64_t magic;
    uint32_t crc; /* CRC-32 (IEEE 802.3, as zlib's) of the bytes behind this field, to the end of the struct */
    uint32_t version;
    uint32_t byte_order;
    uint32_t page_size; /* of the machine: 4096 to 65536, a power of two */
    uint32_t frames;    /* 1 to LABYRINTH_MAX_FRAMES */
    uint32_t reserve;   /* the last so many frames, 0 to frames - 1 */
    uint64_t file_bytes;
    uint64_t tenants_offset;
    uint64_t page_map_offset;
    uint64_t frames_offset;
    uint64_t first_generation; /* of every frame, 1 to the last but one; random, so that handles of others do not fit */
    char name[LABYRINTH_NAME_BYTES]; /* UTF-8, zero-terminated: the last byte is zero */
    uint8_t unused[256 - 136];       /* zero */
};

/* Tenants. One slot for each process that has attached, from LABYRINTH_FIRST_TENANT on; those before it are nobody's.
 *
 * Alive is who holds the write lock on the slot's byte of the file (byte LABYRINTH_LOCK_OFFSET + slot, F_OFD_SETLK, on
 * an open file description of its own): the kernel releases it when the last copy of that description is closed. These
 * are closed when the process ends, however it ends, or calls exec (O_CLOEXEC). A paused process is alive. A child that
 * was forked has a copy until it closes it, ends or calls exec, and would keep a parent that was killed alive; hence a
 * second sign of death, the pid. A tenant is dead if
 *
 *     its byte can be locked,   or   it wrote the pid namespace that the caller is in, and no process there has its pid
 *
 * The second is asked by kill(pid, 0) = ESRCH alone: any other answer, another namespace or an unknown one (0) says
 * nothing. A pid that was given anew, or a dead parent that nobody has waited for, delays a sweep until the child has
 * gone; neither makes anybody dead who lives. Only EAGAIN and EACCES say that a byte is locked; any other error is the
 * caller's, and nobody's sign of life. The bytes lie behind the end of the file.
 *
 * A slot that is dead by its pid has a lock that nobody can take, so the lock cannot keep two sweepers apart, nor a
 * sweeper from a newcomer who locks the byte once the child has gone. This does: whoever changes a slot that is not its
 * own holds the write lock on another byte (LABYRINTH_SWEEP_OFFSET + slot) while it does. Nobody waits for either lock.
 *
 *   attach   lock a slot's byte, then its sweep byte; else try the next slot. If its state is not VACANT, its last
 *            tenant died: sweep it first. Then pid and namespace, then state = TENANT (release), unlock the sweep byte.
 *            Only then the first claim.
 *   detach   with nothing out: state = VACANT (release), then unlock. With something out, only unlock: as if it died.
 *            The unlock is a call of its own: to close the file would not do where a child has a copy.
 *   sweep    of a slot that is not VACANT: lock its byte; if that is refused, it must be dead by its pid. Lock its
 *            sweep byte; if that is refused, somebody else is at work on it: leave it. Now look again: if it is still
 *            not VACANT, and still dead, take back every word that says this tenant, advise every group and span (the
 *            dead one may have freed and not advised), state = VACANT (release). Unlock what was locked.
 *
 * So a sweeper that is killed leaves the slot as it was, to be swept again (once children have gone that it forked in
 * the midst of it); and a slot is taken by nobody new while one is at work, so the words that a sweeper sees with this
 * tenant are the dead one's. A run whose HEAD says this tenant is taken back head last: HEADs of the same tenant inside
 * of it (the split or join that death cut short) become TAIL first. Sweeps by one attachment exclude each other, and
 * leave out their own slot, as the kernel refuses a lock to nobody who has it already.
 *
 * What a ticket's giver had is its own until it is accepted; a ticket that a receiver died with is still good, and its
 * giver may accept it.
 */
#define LABYRINTH_TENANTS 256
#define LABYRINTH_FIRST_TENANT 2
#define LABYRINTH_LOCK_OFFSET (1LL << 52)
#define LABYRINTH_SWEEP_OFFSET (LABYRINTH_LOCK_OFFSET + LABYRINTH_TENANTS)

enum labyrinth_tenant_state {
    LABYRINTH_VACANT = 0,
    LABYRINTH_TENANT = 1,
};

struct labyrinth_tenant {
    uint64_t state;
    uint64_t pid;           /* in its own pid namespace */
    uint64_t since;         /* milliseconds since the epoch; for people */
    uint64_t pid_namespace; /* the inode of /proc/self/ns/pid; 0: not known */
    uint64_t unused[4];
};

#endif
