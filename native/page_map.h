/* SPDX-License-Identifier: Apache-2.0
 *
 * page_map.h: the steps of an allocation by a hint and of a free. They are inlined as a whole: as functions of another
 * file they cost a pair 3 ns of 9. page_map.c explains the protocol and why it is correct.
 */
#ifndef LABYRINTH_PAGE_MAP_H
#define LABYRINTH_PAGE_MAP_H

#include "internal.h"

static inline uint64_t *word_at(struct labyrinth *l, uint32_t pfn)
{
    return &l->pages[pfn].word;
}

/* Called after a word became FREE. Group first, then span: a thread that clears advice looks at them in the other
 * order.
 */
static inline void now_free(struct labyrinth *l, uint32_t pfn)
{
    uint32_t group = pfn >> LABYRINTH_GROUP_ORDER;
    so(&l->advice[group].maybe_free, 1);
    LABYRINTH_STEP("free.group-advised");
    if (l->span_shift >= 0) {
        so(&l->advice[l->groups + (group >> l->span_shift)].maybe_free, 1);
        LABYRINTH_STEP("free.span-advised");
    }
}

/* Claims the run whose head was seen as this FREE word. Wait-free. False if the word has changed. */
static inline bool claim(struct labyrinth *l, uint32_t pfn, uint64_t word, uint64_t flags, uint64_t thread)
{
    struct labyrinth_page *page = &l->pages[pfn];
    if (!cas(&page->word, word, word_claimed(word, l->tenant, flags))) {
        return false;
    }
    LABYRINTH_STEP("claim.cas-won");
    so(&page->owner, owner_word(thread, word));
    LABYRINTH_STEP("claim.signed");
    return true;
}

/* Claims the run if it is free, of this order, and in the generation that the hint names: one CAS. Wait-free. The hint
 * is the handle that the claim makes. It lies within the labyrinth; nothing else about it has to be right.
 */
static inline bool map_claim_hinted(struct labyrinth *l, uint64_t hint, unsigned order, uint64_t flags, uint64_t thread)
{
    return claim(l, handle_pfn(hint), handle_free(hint, order), flags, thread);
}

/* Why this tenant may not give up a live EXCLUSIVE run through a handle. As in Java, another tenant's run is NOT_OWNER,
 * even if it is framed.
 */
static inline enum labyrinth_error map_refuse_exclusive(struct labyrinth *l, const char *verb, uint64_t handle,
                                                        uint64_t word)
{
    return refuse_handle((word & TENANT_FIELD) == l->tenant && word_is_framed(word) ? LABYRINTH_HELD_OTHERWISE
                         : LABYRINTH_NOT_OWNER, verb, handle, word, lv(&l->pages[handle_pfn(handle)].owner));
}

/* The owner's last step: nobody else may change the word, so a store suffices. */
static inline enum labyrinth_error leave(struct labyrinth_page *page, uint64_t handle, uint64_t word, uint64_t thread,
                                         const char *verb, uint64_t target)
{
    uint64_t signed_by = lv(&page->owner);
    if (signed_by != owner_word(thread, handle)) {
        return refuse_handle(LABYRINTH_NOT_OWNER, verb, handle, word, signed_by);
    }
    so(&page->word, target);
    return LABYRINTH_OK;
}

/* The last step for a run that is not EXCLUSIVE: the first thread wins. A ticket equals the handle that its accept
 * gives, but it is no handle until the accepter has signed. If the run were given up before that, the accepter would
 * sign over the next owner.
 */
static inline enum labyrinth_error leave_shared(struct labyrinth_page *page, uint64_t handle, uint64_t word,
                                                const char *verb, uint64_t target)
{
    if (!word_is_signed(word, lv(&page->owner))) {
        return refuse_handle(LABYRINTH_STALE, verb, handle, word, 0);
    }
    if (!cas(&page->word, word, target)) {
        return refuse_handle(LABYRINTH_STALE, verb, handle, lv(&page->word), 0);
    }
    return LABYRINTH_OK;
}

/* Frees the run. Wait-free for an EXCLUSIVE run, one CAS otherwise. */
enum labyrinth_error map_release(struct labyrinth *l, uint64_t handle, uint64_t thread);

/* map_release for the most frequent case, an EXCLUSIVE run of one frame. Wait-free. False, with nothing done, if the
 * handle does not name such a run that this thread may free.
 *
 * The frame's next word is made from the handle. The word in memory is only compared. If the next word were made from
 * the word in memory, as in map_release, the store would wait for a load that waits for the claim's CAS: 1.9 ns of 4.9.
 */
static inline bool map_release_frame(struct labyrinth *l, uint64_t handle, uint64_t thread)
{
    uint32_t pfn = handle_pfn(handle);
    uint64_t generation = handle & ~LOW_FIELD;
    uint64_t next;
    if (UNLIKELY(pfn >= l->ordinary || __builtin_add_overflow(generation, ONE_GENERATION + LABYRINTH_FREE, &next))) {
        return false;
    }
    struct labyrinth_page *page = &l->pages[pfn];
    if (UNLIKELY(lv(&page->word) != generation + l->tenant + (LABYRINTH_HEAD + EXCLUSIVE_BIT)
                 || lv(&page->owner) != owner_word(thread, handle))) {
        return false;
    }
    so(&page->word, next);
    LABYRINTH_STEP("free.stored");
    now_free(l, pfn);
    return true;
}

#endif
