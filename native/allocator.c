/* SPDX-License-Identifier: Apache-2.0
 *
 * allocator.c: the API functions that take or return a handle. They check the request and pass it to the page map and
 * the zone. The twin of Allocator.java and RawAllocator.java.
 */
#include "zone.h"
#include <string.h>

static inline enum labyrinth_error check_request(uint32_t gfp, uint32_t order)
{
    uint32_t sprint = LABYRINTH_GFP_ATOMIC & ~LABYRINTH_GFP_HIGH;
    uint32_t both = LABYRINTH_GFP_HIGH | LABYRINTH_GFP_NOMEMALLOC;
    if (order > LABYRINTH_MAX_ORDER) {
        return refuse_request("order", order, LABYRINTH_MAX_ORDER, "ask for a run of 2^order frames, order 0 to 10");
    }
    if (gfp >> 6 != 0) {
        return refuse_request("gfp", gfp, 63, "no such flag; use the constants");
    }
    if ((gfp & (sprint | LABYRINTH_GFP_HIGH)) == sprint) {
        return refuse_request("gfp", gfp, 63, "a sprint ends in the reserve; use ATOMIC");
    }
    if ((gfp & both) == both) {
        return refuse_request("gfp", gfp, 63, "HIGH asks for the reserve and NOMEMALLOC forbids it; leave one out");
    }
    return LABYRINTH_OK;
}

/* For a thread's first call, and for a labyrinth that is detached. A function of its own, so that other calls save no
 * registers.
 */
static __attribute__((noinline, cold)) uint64_t claim_at_first(struct labyrinth *l, uint32_t gfp, unsigned order)
{
    if (l->frames == 0) {
        refuse_bounds(l, "allocation", 0);
        return 0;
    }
    return zone_claim(l, gfp, order, current_thread());
}

static inline uint64_t checked_claim(struct labyrinth *l, uint32_t gfp, unsigned order)
{
    uint64_t thread = labyrinth_thread;
    if (UNLIKELY(thread == 0 || l->frames == 0)) {
        return claim_at_first(l, gfp, order);
    }
    return zone_claim(l, gfp, order, thread);
}

uint64_t labyrinth_alloc_pages(struct labyrinth *l, uint32_t gfp, uint32_t order)
{
    if (UNLIKELY(check_request(gfp, order) != LABYRINTH_OK)) {
        return 0;
    }
    uint64_t handle = checked_claim(l, gfp, order);
    if ((gfp & LABYRINTH_GFP_ZERO) != 0 && handle != 0) {
        memset(l->memory + (uint64_t) handle_pfn(handle) * l->page_size, 0, (size_t) l->page_size << order);
    }
    return handle;
}

uint64_t labyrinth_alloc_page(struct labyrinth *l, uint32_t gfp)
{
    return labyrinth_alloc_pages(l, gfp, 0);
}

uint64_t labyrinth_alloc_page_gfp_atomic_exclusive(struct labyrinth *l)
{
    return checked_claim(l, LABYRINTH_GFP_ATOMIC_EXCLUSIVE, 0);
}

/* A function of its own, so that other frees save no registers. */
static __attribute__((noinline)) enum labyrinth_error free_any(struct labyrinth *l, uint64_t handle)
{
    uint64_t thread = current_thread();
    enum labyrinth_error error = map_release(l, handle, thread);
    if (LIKELY(error == LABYRINTH_OK)) {
        zone_freed(l, handle, thread);
    }
    return error;
}

enum labyrinth_error labyrinth_free(struct labyrinth *l, uint64_t handle)
{
    uint64_t thread = labyrinth_thread; /* 0 before the thread's first call: then it owns nothing */
    if (LIKELY(map_release_frame(l, handle, thread))) {
        zone_freed(l, handle, thread);
        return LABYRINTH_OK;
    }
    return free_any(l, handle);
}

uint64_t labyrinth_hand_off(struct labyrinth *l, uint64_t handle)
{
    return map_hand_off(l, handle, current_thread());
}

uint64_t labyrinth_accept(struct labyrinth *l, uint64_t ticket)
{
    return map_accept(l, ticket, current_thread());
}

void *labyrinth_address(struct labyrinth *l, uint64_t handle)
{
    return map_checked(l, handle, "address", current_thread()) == 0
               ? NULL
               : l->memory + (uint64_t) handle_pfn(handle) * l->page_size;
}

int labyrinth_order(struct labyrinth *l, uint64_t handle)
{
    uint64_t word = map_checked(l, handle, "order", current_thread());
    return word == 0 ? -1 : (int) word_order(word);
}

void *labyrinth_frames(struct labyrinth *l, size_t *bytes)
{
    *bytes = (size_t) l->frames * l->page_size;
    return l->frames == 0 ? NULL : l->memory;
}

size_t labyrinth_byte_size(struct labyrinth *l, uint64_t handle)
{
    uint64_t word = map_checked(l, handle, "size", current_thread());
    return word == 0 ? 0 : (size_t) l->page_size << word_order(word);
}
