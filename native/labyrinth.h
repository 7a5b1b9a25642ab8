/* SPDX-License-Identifier: Apache-2.0
 *
 * labyrinth.h: the layout of a labyrinth, and the contract between all processes that use one. It has no functions. The
 * functions for C programs are in labyrinth_api.h.
 *
 * This header is the only definition of the page word. C includes it. Java reads it through what jextract makes of it
 * (bindings/). A test compiles it and compares every number below with what the Java side uses.
 *
 * A labyrinth is a maze of frames. *Runs* tile it: a run is 2^order frames, aligned to its size. Each frame has one
 * descriptor, `struct labyrinth_page`. The descriptor of a run's first frame (its head) speaks for the whole run. The
 * descriptors of its other frames are TAIL. So for every labyrinth at rest
 *
 *     sum over all heads of 2^order == frames,   and   no frame is covered by two heads            (the tiling)
 *
 * A thread that changes the head's word with a compare-and-set owns the run, whatever its order: one CAS, one owner.
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
 * generation  one life of the frame. It ends, and the number goes up by one, with every release and every hand-over of
 *             a handle that somebody may know. It never wraps: a frame whose generations are used up is QUARANTINED.
 * tenant      the process that claimed the run. 0 while FREE; 1 in a private labyrinth; see below for shared ones.
 * flags       below. 0 while FREE.
 * order       of the run that this word heads. It means nothing in a TAIL.
 * state       below. 0 is no state: a word that was never written is never taken for a free frame.
 *
 * These are the only transitions, each with who may make it. (+1): the generation ends.
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
 *   IN_TRANSIT -> HEAD             a thread with the ticket, once, by CAS       accept; the tenant is the accepter's
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
 * descriptor object holds the run, with memory views that die with it. So a bare handle may not end the generation.
 */
#define LABYRINTH_EXCLUSIVE 1
#define LABYRINTH_FRAMED 2

/* The tenant of every claim in a labyrinth that is not shared. No tenant of a shared labyrinth has this number. So a
 * word with this number says by itself that its labyrinth is private.
 */
#define LABYRINTH_TENANT_PRIVATE 1

/* The frame descriptor: what `struct page` is to the kernel. 16 bytes a frame, 16-byte aligned, index = pfn.
 *
 * word   above. Only single-word CAS and release stores change it. Only acquire loads read it.
 * owner  the thread that claimed the run. The claimer stores it (release) after its CAS. Nobody clears it.
 *
 *   63   62                   52 51                                                  0
 *  +----+-----------------------+-----------------------------------------------------+
 *  |virt|  generation, 11 bits  |                      thread id                      |
 *  +----+-----------------------+-----------------------------------------------------+
 *
 *        virt: a virtual thread. Only the JVM that runs it can tell whether it has ended.
 *        generation: the lowest 11 bits of the word's generation. If they differ from the word's, the owner word is of
 *        an earlier generation: the claimer has won its CAS and has not signed yet. Until it signs, the tenant alone
 *        says who owns the run. (Every generation signs its frame once. So the owner word is then one generation old,
 *        and 11 bits are plenty.)
 *        thread id: 2^52 ids last 142 years at a million threads a second.
 */
#define LABYRINTH_OWNER_ID_BITS 52
#define LABYRINTH_OWNER_GENERATION_BITS 11
#define LABYRINTH_OWNER_VIRTUAL (1ULL << 63)

struct labyrinth_page {
    uint64_t word;
    uint64_t owner;
};

/* Advice: "there may be a free head here". Every group of 2^LABYRINTH_GROUP_ORDER frames has one. If there are more
 * than LABYRINTH_MAX_SPANS groups, every span of groups has one as well. Each has a cache line of its own, so that
 * frees of different groups share no line.
 *
 * 0 says no. Any other value says maybe.
 *
 *   to free   Make the word FREE. *After* it store 1 here (release): always, without a look at the old value.
 *   to clear  Put a stamp of this thread here by CAS (acquire). The stamp is tenant and thread id, never 1. *Then* look
 *             at the words. If none is FREE, change the stamp to 0 by CAS.
 *
 * Why nothing free is hidden: either the first CAS came after the 1 of the free, and then the look sees the free word.
 * Or the 1 replaced the stamp, and then the second CAS fails. This is message passing, so release and acquire suffice,
 * and a free needs no fence. A thread that stops halfway leaves a "maybe".
 *
 * What this asks of the CPU beyond C11: the 1 of one free may replace the 1 of another. If the CAS reads the second 1,
 * the look must see the first free word as well. This holds if a store that one other core sees is seen by all cores
 * (x86, Armv8, RISC-V). On POWER the 1 would have to be stored by an exchange.
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

/* The handle: the name of one frame in one generation. 0 is no handle. A ticket has the same form: it is the handle
 * that its accept gives.
 *
 *   63                                    24 23                                  0
 *  +----------------------------------------+-------------------------------------+
 *  |               generation               |                 pfn                 |
 *  +----------------------------------------+-------------------------------------+
 */
#define LABYRINTH_PFN_BITS 24

/* ---------------------------------------------------------------------------------------------- shared labyrinths
 *
 * A labyrinth that processes share is one file of a memory file system, or a memfd. Offsets are in bytes:
 *
 *   0                  struct labyrinth_header, in a page of its own
 *   tenants_offset     struct labyrinth_tenant[LABYRINTH_TENANTS]
 *   page_map_offset    struct labyrinth_page[frames], padded to a multiple of 64 bytes; then struct labyrinth_advice of
 *                      the groups; then, if there are more than LABYRINTH_MAX_SPANS groups, that of the spans
 *   frames_offset      the frames, page_size bytes each
 *   file_bytes         the end, and so the file's length
 *
 * Each part begins on the first multiple of page_size at or after the end of the part before. Nothing lies between the
 * parts or after the last one. So a name, a number of frames, a reserve, a generation and a page size have one header.
 *
 * To create: make the file as long as it will be. Have the file system reserve all of it. Seal the length of a memfd
 * (F_SEAL_SHRINK, F_SEAL_GROW). Write the words, tiled and advised, the tenants, the header and its crc. After all of
 * this store the magic (release). The header never changes after that.
 *
 * To attach: read the header by a system call, which cannot be fatal if the file is truncated meanwhile. Read the magic
 * first, and the rest by a later call. Refuse a file that is not regular, a file on no memory file system (one that
 * knows no seals), and a header that breaks any rule here. Then count the links: a file without a name must be sealed.
 * Check the length last, because anybody may have changed it until here: it must be file_bytes. After that use the
 * numbers that were checked, and never read them from the file again. Before anything else is read through the mapping,
 * load the magic there (acquire): then every word that was written before it is seen. Java and C refuse the same files.
 */
#define LABYRINTH_MAGIC 0x314854525942414cULL /* "LABYRTH1" in the memory of a little-endian machine */
#define LABYRINTH_VERSION 2
#define LABYRINTH_BYTE_ORDER 0x01020304
#define LABYRINTH_NAME_BYTES 64

struct labyrinth_header {
    uint64_t magic;
    uint32_t crc; /* CRC-32 (IEEE 802.3, as zlib's) of the bytes after this field, to the end of the struct */
    uint32_t version;
    uint32_t byte_order;
    uint32_t page_size; /* of the machine, in bytes: 4096 to 65536, a power of two */
    uint32_t frames;    /* 1 to LABYRINTH_MAX_FRAMES */
    uint32_t reserve;   /* the number of frames in the reserve, which are the last ones: 0 to frames - 1 */
    uint64_t file_bytes;
    uint64_t tenants_offset;
    uint64_t page_map_offset;
    uint64_t frames_offset;
    uint64_t first_generation; /* of every frame, 1 to the last but one; random, so that handles of another labyrinth do
                                * not fit */
    char name[LABYRINTH_NAME_BYTES]; /* UTF-8, zero-terminated: the last byte is zero */
    uint8_t unused[256 - 136];       /* zero */
};

/* Tenants. Each process that has attached has one slot, from LABYRINTH_FIRST_TENANT on. Slots below it are not used.
 *
 * A tenant is alive while it holds the write lock on the slot's byte of the file (byte LABYRINTH_LOCK_OFFSET + slot,
 * F_OFD_SETLK, on an open file description of its own). The kernel releases the lock when the last copy of that
 * description is closed. A process closes its copy when it ends, however it ends, or calls exec (O_CLOEXEC). A paused
 * process is alive. A forked child has a copy until it closes it, ends or calls exec. By the lock alone, a parent that
 * was killed would then look alive. So there is a second sign of death, the pid. A tenant is dead if
 *
 *     its byte can be locked,   or   it wrote the pid namespace that the caller is in, and no process there has its pid
 *
 * Only kill(pid, 0) = ESRCH says that no process has the pid. Any other answer says nothing; nor does another namespace
 * or an unknown one (0). If the pid was given to a new process, or nobody has waited for the dead parent, the sweep is
 * delayed until the child has gone. Neither makes a living tenant look dead. Only EAGAIN and EACCES say that a byte is
 * locked. Any other error is the caller's, and is no sign of life. The bytes lie after the end of the file.
 *
 * If a tenant is dead by its pid, nobody can take the lock on its byte. So this lock cannot keep two sweepers apart,
 * nor a sweeper and a newcomer that locks the byte after the child has gone. A second lock does: to change a slot other
 * than its own, a process holds the write lock on the slot's sweep byte (LABYRINTH_SWEEP_OFFSET + slot). Nobody waits
 * for either lock.
 *
 *   attach   Lock a slot's byte, then its sweep byte; if either is refused, try the next slot. If the state is not
 *            VACANT, the last tenant died: sweep the slot first. Write pid and namespace, then state = TENANT
 *            (release). Unlock the sweep byte. Make the first claim after that.
 *   detach   With nothing out: state = VACANT (release), then unlock. With something out, only unlock, as if it died.
 *            The unlock is a call of its own: if a child has a copy, it is not enough to close the file.
 *   sweep    Of a slot that is not VACANT: lock its byte; if that is refused, the tenant must be dead by its pid. Lock
 *            its sweep byte; if that is refused, another process is at work on the slot: leave it. Look again. If the
 *            slot is still not VACANT, and the tenant still dead: take back every word that says this tenant, advise
 *            every group and span (the dead tenant may have freed and not advised), and store state = VACANT (release).
 *            Unlock what was locked.
 *
 * So a sweeper that is killed leaves the slot as it was, and the slot is swept again (after the children have gone that
 * the sweeper forked meanwhile). No process takes a slot that is being swept. So every word with this tenant that a
 * sweeper sees is the dead tenant's. A run whose HEAD says this tenant is taken back head last: first the HEADs of the
 * same tenant inside of it become TAIL (death cut a split or a join short). Sweeps by one attachment exclude each
 * other. They leave out their own slot, because the kernel never refuses a lock to the description that has it already.
 *
 * A run in transit belongs to the tenant that gave the ticket until the ticket is accepted. If a receiver dies before
 * it accepts, the ticket is still good, and the giver may accept it.
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
    uint64_t pid;           /* in the tenant's own pid namespace */
    uint64_t since;         /* when it attached, in milliseconds since the epoch; for people */
    uint64_t pid_namespace; /* the inode of /proc/self/ns/pid; 0: not known */
    uint64_t unused[4];
};

#endif
