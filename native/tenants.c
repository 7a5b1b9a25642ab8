/* SPDX-License-Identifier: Apache-2.0
 *
 * tenants.c: who is alive, and what becomes of what the dead left. Alive is who holds the lock of a slot's byte; see
 * labyrinth.h. The locks belong to the open file description, so one attachment is never refused a lock by itself: it
 * leaves its own slot out, and sweeps by one thread at a time.
 */
#define _GNU_SOURCE
#include "internal.h"
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

/* Never waits. 0, or the reason; EAGAIN or EACCES: somebody else has the lock. */
static int set_lock(const struct labyrinth *l, uint32_t slot, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = LABYRINTH_LOCK_OFFSET + slot, .l_len = 1};
    return fcntl(l->fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

/* Takes back every run of a dead tenant, whose slot is locked by this attachment. A word that changes meanwhile was
 * freed or accepted by somebody else, who may: it was not EXCLUSIVE, or in transit. Nothing new of this tenant comes.
 */
static uint64_t take_back_all(struct labyrinth *l, uint32_t slot)
{
    uint64_t tenant = (uint64_t) slot << LABYRINTH_TENANT_SHIFT;
    uint64_t freed = 0;
    for (uint32_t pfn = 0; pfn < l->frames;) {
        uint64_t word = lv(&l->pages[pfn].word);
        if (word_is_out(word) && word_is_of(word, tenant)) {
            if (word_state(word) == LABYRINTH_HEAD) {
                map_hide_heads_of(l, pfn, pfn + word_frames(word), tenant);
            }
            freed += map_take_back(l, pfn, word) ? word_frames(word) : 0;
            LABYRINTH_STEP("sweep.taken-back");
        }
        pfn = word_next(pfn, word);
    }
    /* What the dead one freed and did not advise is anywhere. Before the slot is vacant, or nobody would do it. */
    map_advise_all(l);
    LABYRINTH_STEP("sweep.advised");
    so(&l->tenants[slot].state, LABYRINTH_VACANT);
    LABYRINTH_STEP("sweep.vacant");
    return freed;
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
    for (uint32_t slot = LABYRINTH_FIRST_TENANT; slot < LABYRINTH_TENANTS; slot++) {
        if (slot == l->slot || lv(&l->tenants[slot].state) == LABYRINTH_VACANT || set_lock(l, slot, F_WRLCK) != 0) {
            continue;
        }
        LABYRINTH_STEP("sweep.locked");
        /* Again, as it was seen without the lock: another may have swept it, or a tenant may have come and gone. */
        if (lv(&l->tenants[slot].state) != LABYRINTH_VACANT) {
            freed += take_back_all(l, slot);
        }
        set_lock(l, slot, F_UNLCK);
        LABYRINTH_STEP("sweep.unlocked");
    }
    atomic_store_explicit((_Atomic uint32_t *) &l->sweeping, 0, memory_order_release);
    return freed;
}

/* The first slot that nobody alive has is ours, once what its last tenant left is taken back. */
enum labyrinth_error tenant_enter(struct labyrinth *l)
{
    for (uint32_t slot = LABYRINTH_FIRST_TENANT; slot < LABYRINTH_TENANTS; slot++) {
        int refused = set_lock(l, slot, F_WRLCK);
        if (refused == EAGAIN || refused == EACCES) {
            continue;
        }
        if (refused != 0) {
            return refuse_system(LABYRINTH_MAP_REFUSED, "fcntl(F_OFD_SETLK)", l->name, 1, refused);
        }
        LABYRINTH_STEP("attach.locked");
        struct labyrinth_tenant *tenant = &l->tenants[slot];
        if (lv(&tenant->state) != LABYRINTH_VACANT) {
            take_back_all(l, slot);
            LABYRINTH_STEP("attach.swept");
        }
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        so(&tenant->pid, (uint64_t) getpid());
        so(&tenant->since, (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000);
        so(&tenant->state, LABYRINTH_TENANT);
        LABYRINTH_STEP("attach.published");
        l->slot = slot;
        l->tenant = (uint64_t) slot << LABYRINTH_TENANT_SHIFT;
        return LABYRINTH_OK;
    }
    return refuse((struct refusal){.error = LABYRINTH_NO_VACANCY, .name = l->name,
                                   .limit = LABYRINTH_TENANTS - LABYRINTH_FIRST_TENANT});
}

/* The lock is given up by the caller, with the mapping gone: whoever takes the slot then has it to itself. */
void tenant_leave(struct labyrinth *l, bool nothing_out)
{
    if (nothing_out) {
        so(&l->tenants[l->slot].state, LABYRINTH_VACANT);
        LABYRINTH_STEP("detach.vacant");
    }
}

/* 0, or the reason. */
int tenant_unlock(const struct labyrinth *l)
{
    int refused = set_lock(l, l->slot, F_UNLCK);
    LABYRINTH_STEP("detach.unlocked");
    return refused;
}
