/* SPDX-License-Identifier: Apache-2.0
 *
 * zone.h: stripes, and the claim by a stripe's first hint. It is inlined as a whole, as page_map.h is. The rest is in
 * zone.c.
 */
#ifndef LABYRINTH_ZONE_H
#define LABYRINTH_ZONE_H

#include "page_map.h"

/* Fields of a stripe, in longs. The cache line before LAST has nothing that a pair needs, because the ring of the
 * neighbour stripe is near. Its fields are for walks alone.
 */
enum {
    LOST = 6,
    RESERVE_CURSOR = 7,
    LAST = 8,
    TOP = 9,
    CURSOR = 10,
    STEPS = 11,
    REFUSED = 12,
    REFUSED_QUIETLY = 13,
    RESERVE_HITS = 14,
    EXHAUSTED = 15,
    RING = 16,
    HINTS = 16,
    STRIPE_SHIFT = 5,
};

static inline uint64_t get(_Atomic uint64_t *stripe, unsigned field)
{
    return atomic_load_explicit(&stripe[field], memory_order_relaxed);
}

static inline void set(_Atomic uint64_t *stripe, unsigned field, uint64_t value)
{
    atomic_store_explicit(&stripe[field], value, memory_order_relaxed);
}

/* Approximate: if two threads use one stripe, a count may be lost. */
static inline void add(_Atomic uint64_t *stripe, unsigned field, uint64_t more)
{
    set(stripe, field, get(stripe, field) + more);
}

/* Chosen by the thread id's low bits. Ids are given out in sequence, so threads that start together have stripes of
 * their own.
 */
static inline _Atomic uint64_t *stripe_of(const struct labyrinth *l, uint64_t thread)
{
    return (_Atomic uint64_t *) &l->stripes[(thread << STRIPE_SHIFT) & l->stripe_mask];
}

/* Claims a run by the next hint, and otherwise by a walk. */
uint64_t zone_claim_older(struct labyrinth *l, uint32_t gfp, unsigned order, uint64_t flags, _Atomic uint64_t *stripe,
                          uint64_t thread);

/* Claims a run. Lock-free. Returns the handle, or 0 if nothing was found within the bound. */
static inline uint64_t zone_claim(struct labyrinth *l, uint32_t gfp, unsigned order, uint64_t thread)
{
    uint64_t flags = (gfp & LABYRINTH_GFP_EXCLUSIVE) != 0 ? EXCLUSIVE_BIT : 0;
    _Atomic uint64_t *stripe = stripe_of(l, thread);
    uint64_t hint = get(stripe, LAST);
    if (hint != 0) {
        set(stripe, LAST, 0);
        if (map_claim_hinted(l, hint, order, flags, thread)) {
            return hint;
        }
        add(stripe, LOST, 1);
    }
    return zone_claim_older(l, gfp, order, flags, stripe, thread);
}

/* Remembers a run that was just freed. A run of the reserve is not remembered: an ordinary request must not find it. */
static inline void zone_freed(struct labyrinth *l, uint64_t handle, uint64_t thread)
{
    if (handle_pfn(handle) >= l->ordinary) {
        return;
    }
    _Atomic uint64_t *stripe = stripe_of(l, thread);
    uint64_t older = get(stripe, LAST);
    set(stripe, LAST, handle_next_generation(handle));
    if (older != 0) {
        unsigned top = (get(stripe, TOP) + 1) & (HINTS - 1);
        set(stripe, RING + top, older);
        set(stripe, TOP, top);
    }
}

#endif
