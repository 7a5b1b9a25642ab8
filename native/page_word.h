/* SPDX-License-Identifier: Apache-2.0
 *
 * page_word.h: the page word, as pure functions from word to word. They touch no memory. page_map.c applies them. The
 * twin of PageWord.java, except that the tenant is a variable here. It is always given in its place in the word.
 */
#ifndef LABYRINTH_PAGE_WORD_H
#define LABYRINTH_PAGE_WORD_H

#include "labyrinth.h"
#include <stdbool.h>

#define ORDER_FIELD (((1ULL << LABYRINTH_ORDER_BITS) - 1) << LABYRINTH_ORDER_SHIFT)
#define STATE_FIELD ((1ULL << LABYRINTH_STATE_BITS) - 1)
#define TENANT_FIELD (((1ULL << LABYRINTH_TENANT_BITS) - 1) << LABYRINTH_TENANT_SHIFT)

/* Every bit below the generation. In a handle these bits are the pfn. */
#define LOW_FIELD ((1ULL << LABYRINTH_GENERATION_SHIFT) - 1)
#define ONE_GENERATION (1ULL << LABYRINTH_GENERATION_SHIFT)
#define LAST_GENERATION ((1ULL << LABYRINTH_GENERATION_BITS) - 1)

/* The flags' bits within the word. */
#define EXCLUSIVE_BIT ((uint64_t) LABYRINTH_EXCLUSIVE << LABYRINTH_FLAGS_SHIFT)
#define FRAMED_BIT ((uint64_t) LABYRINTH_FRAMED << LABYRINTH_FLAGS_SHIFT)

#define OWNER_ID_FIELD ((1ULL << LABYRINTH_OWNER_ID_BITS) - 1)
#define OWNER_GENERATION_FIELD (((1ULL << LABYRINTH_OWNER_GENERATION_BITS) - 1) << LABYRINTH_OWNER_ID_BITS)

static inline unsigned word_state(uint64_t word)
{
    return (unsigned) (word & STATE_FIELD);
}

static inline unsigned word_order(uint64_t word)
{
    return (unsigned) ((word & ORDER_FIELD) >> LABYRINTH_ORDER_SHIFT);
}

/* The frames in the run that this word heads. */
static inline uint32_t word_frames(uint64_t word)
{
    return 1U << word_order(word);
}

static inline uint64_t word_generation(uint64_t word)
{
    return word >> LABYRINTH_GENERATION_SHIFT;
}

/* One comparison, because the last generation is all ones. */
static inline bool word_is_last_generation(uint64_t word)
{
    return word >= ~LOW_FIELD;
}

static inline bool word_is_exclusive(uint64_t word)
{
    return (word & EXCLUSIVE_BIT) != 0;
}

static inline bool word_is_framed(uint64_t word)
{
    return (word & FRAMED_BIT) != 0;
}

static inline bool word_is_of(uint64_t word, uint64_t tenant)
{
    return (word & TENANT_FIELD) == tenant;
}

/* Claimed and not yet given up: a thread holds the run, or its ticket is out. */
static inline bool word_is_out(uint64_t word)
{
    return word_state(word) == LABYRINTH_HEAD || word_state(word) == LABYRINTH_IN_TRANSIT;
}

static inline bool word_is_free(uint64_t word)
{
    return word_state(word) == LABYRINTH_FREE;
}

static inline uint64_t word_low(unsigned state, unsigned order)
{
    return (uint64_t) order << LABYRINTH_ORDER_SHIFT | state;
}

static inline uint64_t word_with(uint64_t word, uint64_t low)
{
    return (word & ~LOW_FIELD) | low;
}

/* The first word of a frame. */
static inline uint64_t word_first(uint64_t generation, unsigned state, unsigned order)
{
    return generation << LABYRINTH_GENERATION_SHIFT | word_low(state, order);
}

/* FREE to HEAD, the same run. A sum, because FREE has no tenant and no flags. */
static inline uint64_t word_claimed(uint64_t word, uint64_t tenant, uint64_t flags)
{
    return word + (LABYRINTH_HEAD - LABYRINTH_FREE) + tenant + flags;
}

/* The same claim with another order: the owner is splitting or joining the run. */
static inline uint64_t word_resized(uint64_t head, unsigned order)
{
    return (head & ~ORDER_FIELD) | (uint64_t) order << LABYRINTH_ORDER_SHIFT;
}

/* TAIL to HEAD in the same generation: the upper half of a run that its owner splits. */
static inline uint64_t word_split_off(uint64_t tail, unsigned order, uint64_t tenant)
{
    return word_with(tail, word_low(LABYRINTH_HEAD, order) | tenant);
}

/* HEAD to TAIL in the same generation: the run becomes part of the run before it. */
static inline uint64_t word_joined(uint64_t head)
{
    return word_with(head, word_low(LABYRINTH_TAIL, 0));
}

/* HEAD to FREE in the same generation: a claim that is taken back before anybody saw its handle. */
static inline uint64_t word_unclaimed(uint64_t head)
{
    return word_with(head, word_low(LABYRINTH_FREE, word_order(head)));
}

static inline uint64_t word_quarantined(uint64_t word)
{
    return word_with(word, word_low(LABYRINTH_QUARANTINED, word_order(word)));
}

/* The release: FREE in the next generation; QUARANTINED after the last one. */
static inline uint64_t word_released(uint64_t word)
{
    return word_is_last_generation(word) ? word_quarantined(word)
                                   : ((word + ONE_GENERATION) & (~LOW_FIELD | ORDER_FIELD)) | LABYRINTH_FREE;
}

/* word_released of a word for which word_is_live_exclusive holds: one sum, because all its fields are known. */
static inline uint64_t word_released_exclusive(uint64_t word, uint64_t tenant)
{
    return word_is_last_generation(word) ? word_quarantined(word)
                                   : word + (ONE_GENERATION + LABYRINTH_FREE - LABYRINTH_HEAD - EXCLUSIVE_BIT) - tenant;
}

/* HEAD to IN_TRANSIT: the giver's generation ends. Not for the last generation, which has no next one to pass on. */
static inline uint64_t word_in_transit(uint64_t head)
{
    return ((head + ONE_GENERATION) & ~STATE_FIELD) | LABYRINTH_IN_TRANSIT;
}

/* IN_TRANSIT to HEAD, in the generation that the ticket names. The run is now the accepter's, and not framed. */
static inline uint64_t word_accepted(uint64_t word, uint64_t tenant)
{
    return (word & ~(STATE_FIELD | TENANT_FIELD | FRAMED_BIT)) | LABYRINTH_HEAD | tenant;
}

static inline uint64_t word_handle(uint64_t word, uint32_t pfn)
{
    return (word & ~LOW_FIELD) | pfn;
}

/* The run's word before the claim, in the generation that the handle names. */
static inline uint64_t handle_free(uint64_t handle, unsigned order)
{
    return word_with(handle, word_low(LABYRINTH_FREE, order));
}

/* The handle that the next claim of the same run makes. */
static inline uint64_t handle_next_generation(uint64_t handle)
{
    return handle + ONE_GENERATION;
}

static inline uint32_t handle_pfn(uint64_t handle)
{
    return (uint32_t) (handle & LOW_FIELD);
}

/* Whether the word is the HEAD of a run in the generation that the handle names. */
static inline bool word_is_live(uint64_t word, uint64_t handle)
{
    return ((word ^ word_with(handle, LABYRINTH_HEAD)) & (~LOW_FIELD | STATE_FIELD)) == 0;
}

/* Whether word_is_live holds, with this tenant, and with EXCLUSIVE as the only flag: one comparison of all but the
 * order.
 */
static inline bool word_is_live_exclusive(uint64_t word, uint64_t handle, uint64_t tenant)
{
    return ((word ^ word_with(handle, LABYRINTH_HEAD | EXCLUSIVE_BIT | tenant)) & ~ORDER_FIELD) == 0;
}

/* Whether the handle names the generation of the word. */
static inline bool word_same_generation(uint64_t word, uint64_t handle)
{
    return ((word ^ handle) & ~LOW_FIELD) == 0;
}

/* The owner word of this thread for the generation that the handle (or a word of that generation) names. */
static inline uint64_t owner_word(uint64_t thread, uint64_t handle)
{
    return thread | (handle << (LABYRINTH_OWNER_ID_BITS - LABYRINTH_GENERATION_SHIFT) & OWNER_GENERATION_FIELD);
}

/* Whether the owner word was written in the generation of the word. An owner word that was never written is 0. Its
 * generation bits may be right by chance, but no thread has the id 0.
 */
static inline bool word_is_signed(uint64_t word, uint64_t owner)
{
    return ((owner_word(0, word) ^ owner) & OWNER_GENERATION_FIELD) == 0 && (owner & OWNER_ID_FIELD) != 0;
}

/* Whether a run may be like this: of an order that exists, aligned, within the labyrinth, and on one side of the border
 * of the reserve. The reserve begins at the frame `ordinary`.
 */
static inline bool word_fits(uint32_t pfn, uint64_t word, uint32_t ordinary, uint32_t frames)
{
    return pfn + word_frames(word) <= (pfn < ordinary ? ordinary : frames) && (pfn & (word_frames(word) - 1)) == 0
           && word_order(word) <= LABYRINTH_MAX_ORDER;
}

/* The end of the run that the word at pfn heads, or the end of the labyrinth if that is earlier. */
static inline uint32_t word_end(uint32_t pfn, uint64_t word, uint32_t frames)
{
    return pfn + word_frames(word) < frames ? pfn + word_frames(word) : frames;
}

/* Where a pass over all runs goes on after the word at pfn: after the run; after a TAIL, at the next frame. */
static inline uint32_t word_next(uint32_t pfn, uint64_t word)
{
    return pfn + (word_state(word) == LABYRINTH_TAIL ? 1 : word_frames(word));
}

#endif
