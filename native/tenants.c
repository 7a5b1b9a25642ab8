/* SPDX-License-Identifier: Apache-2.0
 *
 * tenants.c: which tenants are alive, and how the runs of dead ones are taken back. The twin of Tenancy.java and
 * Living.java. A tenant is alive while the lock on its slot's byte is held, unless its pid says that only a forked
 * child holds it; see labyrinth.h. The locks belong to the open file description, so no lock keeps an attachment from
 * itself. Therefore an attachment leaves its own slot out, and only one of its threads sweeps at a time.
 */
#define _GNU_SOURCE
#include "internal.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLOT_BYTE(slot) (LABYRINTH_LOCK_OFFSET + (slot))
#define SWEEP_BYTE(slot) (LABYRINTH_SWEEP_OFFSET + (slot))

/* Never waits. 0, or the errno. */
static int set_lock(const struct labyrinth *l, int64_t byte, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(l->fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

/* Whether another tenant has the lock. No other error is a sign of life. */
static bool is_held(int reason)
{
    return reason == EAGAIN || reason == EACCES;
}

static enum labyrinth_error no_locks(const struct labyrinth *l, int reason)
{
    return refuse((struct refusal){.error = LABYRINTH_MAP_REFUSED, .verb = "fcntl(F_OFD_SETLK)", .name = l->name,
                                   .errnum = reason, .rule = "such locks show which tenants live, and this system or"
                                   " sandbox does not give them; use one that allows them"});
}

/* The inode of this process's pid namespace; 0: not known. No other namespace has it while a process is in this one. */
static uint64_t pid_namespace(void)
{
    struct stat namespace;
    return stat("/proc/self/ns/pid", &namespace) == 0 ? namespace.st_ino : 0;
}

/* Whether the process that wrote this slot has certainly ended. In doubt the answer is no: a wrong yes would give the
 * frames of a living process to others.
 */
static bool has_ended(const struct labyrinth_tenant *tenant)
{
    uint64_t namespace = lv(&tenant->pid_namespace);
    uint64_t pid = lv(&tenant->pid);
    return namespace != 0 && pid > 0 && pid <= INT_MAX && namespace == pid_namespace()
        && kill((pid_t) pid, 0) != 0 && errno == ESRCH;
}

/* Takes back every run of a dead tenant. This attachment holds the lock on the slot's sweep byte. If a word changes
 * meanwhile, another tenant freed or accepted the run, and was allowed to: the run was not EXCLUSIVE, or in transit. No
 * new run of this tenant appears. Returns the number of frames.
 */
static uint64_t take_back_all(struct labyrinth *l, uint32_t slot)
{
    uint64_t tenant = (uint64_t) slot << LABYRINTH_TENANT_SHIFT;
    uint64_t freed = 0;
    for (uint32_t pfn = 0; pfn < l->frames;) {
        uint64_t word = lv(&l->pages[pfn].word);
        if (word_is_out(word) && word_is_of(word, tenant)) {
            if (word_state(word) == LABYRINTH_HEAD) {
                map_hide_heads_of(l, pfn, word_end(pfn, word, l->frames), tenant);
            }
            freed += map_take_back(l, pfn, word) ? word_end(pfn, word, l->frames) - pfn : 0;
            LABYRINTH_STEP("sweep.taken-back");
        }
        pfn = word_next(pfn, word);
    }
    /* The dead tenant may have freed a run anywhere and not advised it. All is advised before the slot is vacant: if
     * this process dies between, the next sweep does it.
     */
    map_advise_all(l);
    LABYRINTH_STEP("sweep.advised");
    so(&l->tenants[slot].state, LABYRINTH_VACANT);
    LABYRINTH_STEP("sweep.vacant");
    return freed;
}

/* Releases the lock on a byte. If the system refuses, that is noted, and the next sweep tries again. */
static void unlock(struct labyrinth *l, int64_t byte)
{
    uint64_t bit = (uint64_t) (byte - SLOT_BYTE(0));
    if (set_lock(l, byte, F_UNLCK) == 0) {
        l->still_locked[bit / 64] &= ~(1ULL << bit % 64);
    } else {
        l->still_locked[bit / 64] |= 1ULL << bit % 64;
    }
}

static void unlock_what_is_left(struct labyrinth *l)
{
    for (uint64_t bit = 0; bit < 2 * LABYRINTH_TENANTS; bit++) {
        if ((l->still_locked[bit / 64] >> bit % 64 & 1) != 0) {
            unlock(l, SLOT_BYTE(0) + (int64_t) bit);
        }
    }
}

/* Sweeps a slot that was seen not to be vacant, if its tenant is dead. 0, or the errno that kept it from finding out.
 */
static int sweep_slot(struct labyrinth *l, uint32_t slot, uint64_t *freed)
{
    struct labyrinth_tenant *tenant = &l->tenants[slot];
    int held = set_lock(l, SLOT_BYTE(slot), F_WRLCK);
    if (held != 0 && !is_held(held)) {
        return held;
    }
    if (held == 0) {
        LABYRINTH_STEP("sweep.locked");
    }
    int reason = 0;
    if (held == 0 || has_ended(tenant)) {
        reason = set_lock(l, SWEEP_BYTE(slot), F_WRLCK);
        if (reason == 0) {
            LABYRINTH_STEP("sweep.sweep-locked");
            /* Look again: before this lock, another process may have swept it, or a tenant may have come or gone. */
            if (lv(&tenant->state) != LABYRINTH_VACANT && (held == 0 || has_ended(tenant))) {
                *freed += take_back_all(l, slot);
            }
            unlock(l, SWEEP_BYTE(slot));
            LABYRINTH_STEP("sweep.sweep-unlocked");
        }
    }
    if (held == 0) {
        unlock(l, SLOT_BYTE(slot));
        LABYRINTH_STEP("sweep.unlocked");
    }
    return is_held(reason) ? 0 : reason;
}

uint64_t labyrinth_sweep(struct labyrinth *l)
{
    uint64_t freed = 0;
    if (l->frames == 0) {
        refuse_bounds(l, "sweep", 0);
        return 0;
    }
    if (atomic_exchange_explicit((_Atomic uint32_t *) &l->sweeping, 1, memory_order_acquire) != 0) {
        return 0;
    }
    int reason = 0;
    unlock_what_is_left(l);
    for (uint32_t slot = LABYRINTH_FIRST_TENANT; slot < LABYRINTH_TENANTS && reason == 0; slot++) {
        if (slot != l->slot && lv(&l->tenants[slot].state) != LABYRINTH_VACANT) {
            reason = sweep_slot(l, slot, &freed);
        }
    }
    if (reason != 0) {
        no_locks(l, reason);
    }
    atomic_store_explicit((_Atomic uint32_t *) &l->sweeping, 0, memory_order_release);
    return freed;
}

/* Takes the slot if no living tenant has it. Before that it takes back what the last tenant left. 0, or the errno. */
static int take_slot(struct labyrinth *l, uint32_t slot)
{
    int reason = set_lock(l, SLOT_BYTE(slot), F_WRLCK);
    if (reason != 0) {
        return reason;
    }
    LABYRINTH_STEP("attach.locked");
    reason = set_lock(l, SWEEP_BYTE(slot), F_WRLCK);
    if (reason != 0) {
        unlock(l, SLOT_BYTE(slot));
        return reason;
    }
    LABYRINTH_STEP("attach.sweep-locked");
    struct labyrinth_tenant *tenant = &l->tenants[slot];
    if (lv(&tenant->state) != LABYRINTH_VACANT) {
        take_back_all(l, slot);
        LABYRINTH_STEP("attach.swept");
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    so(&tenant->pid_namespace, 0);
    so(&tenant->pid, (uint64_t) getpid());
    so(&tenant->since, (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000);
    /* If forked children may still have the frames, this tenant must not look dead by its pid before they have gone. */
    so(&tenant->pid_namespace, l->forks ? 0 : pid_namespace());
    so(&tenant->state, LABYRINTH_TENANT);
    LABYRINTH_STEP("attach.published");
    unlock(l, SWEEP_BYTE(slot));
    LABYRINTH_STEP("attach.sweep-unlocked");
    l->slot = slot;
    l->tenant = (uint64_t) slot << LABYRINTH_TENANT_SHIFT;
    return 0;
}

enum labyrinth_error tenant_enter(struct labyrinth *l)
{
    for (uint32_t slot = LABYRINTH_FIRST_TENANT; slot < LABYRINTH_TENANTS; slot++) {
        int reason = take_slot(l, slot);
        if (reason == 0) {
            return LABYRINTH_OK;
        }
        if (!is_held(reason)) {
            return no_locks(l, reason);
        }
    }
    return refuse((struct refusal){.error = LABYRINTH_NO_VACANCY, .name = l->name,
                                   .limit = LABYRINTH_TENANTS - LABYRINTH_FIRST_TENANT});
}

/* The caller releases the lock after the mapping is gone. So the next tenant of the slot has it alone. */
void tenant_leave(struct labyrinth *l, bool nothing_out)
{
    if (nothing_out) {
        so(&l->tenants[l->slot].state, LABYRINTH_VACANT);
        LABYRINTH_STEP("detach.vacant");
    }
}

/* 0, or the errno. */
int tenant_unlock(const struct labyrinth *l)
{
    int refused = set_lock(l, SLOT_BYTE(l->slot), F_UNLCK);
    LABYRINTH_STEP("detach.unlocked");
    return refused;
}
