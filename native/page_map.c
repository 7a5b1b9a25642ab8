/* SPDX-License-Identifier: Apache-2.0
 *
 * page_map.c: every atomic step on the page map. The steps of a pair are in page_map.h. The twin of PageMap.java: the
 * same steps, with the same stores in the same order, because processes of both languages work on the same words.
 *
 * Why one CAS is enough, for any order. The words tile the labyrinth with runs (labyrinth.h). A run's state is the
 * state of its head's word. Nobody reads a TAIL for itself. A thread that moves a head from FREE to HEAD has the whole
 * run: nobody else can write to any of its words until it writes FREE again. Only the owner of a run splits or joins
 * it, with release stores.
 *
 * At every instant of a split or a join one of two things holds: the run of the first head covers all that its owner
 * holds, or the halves are HEADs of their own. Every word says the tenant. So a sweep can give back what it sees: the
 * first head covers, and a HEAD inside of the run is a TAIL that was not written yet. Each LABYRINTH_STEP is such an
 * instant.
 */
#include "page_map.h"

/* Tiles the labyrinth with the largest free runs that fit. Called before publication: nobody else looks yet. */
void map_tile(struct labyrinth *l, uint64_t generation)
{
    uint32_t pfn = 0;
    while (pfn < l->frames) {
        uint32_t left = (pfn < l->ordinary ? l->ordinary : l->frames) - pfn;
        unsigned order = 31 - (unsigned) __builtin_clz(left);
        order = order < LABYRINTH_MAX_ORDER ? order : LABYRINTH_MAX_ORDER;
        if (pfn != 0 && order > (unsigned) __builtin_ctz(pfn)) {
            order = (unsigned) __builtin_ctz(pfn);
        }
        for (uint32_t tail = pfn + 1; tail < pfn + (1U << order); tail++) {
            so(word_at(l, tail), word_first(generation, LABYRINTH_TAIL, 0));
        }
        so(word_at(l, pfn), word_first(generation, LABYRINTH_FREE, order));
        now_free(l, pfn);
        pfn += 1U << order;
    }
}

/* ------------------------------------------------------------------------------------------------ claim */

/* Claims a run of this order at the start of a larger free run, whose head was seen as this word. Frees the rest of the
 * larger run. Wait-free: one CAS, 4 stores for each halving.
 */
static uint64_t claim_and_split(struct labyrinth *l, uint32_t pfn, uint64_t word, unsigned order, uint64_t flags,
                                uint64_t thread)
{
    uint64_t head = word_claimed(word, l->tenant, flags);
    if (!word_fits(pfn, word, l->ordinary, l->frames) || !cas(word_at(l, pfn), word, head)) {
        return 0;
    }
    LABYRINTH_STEP("split.cas-won");
    while (word_order(head) > order) {
        unsigned half = word_order(head) - 1;
        uint32_t upper = pfn + (1U << half);
        uint64_t split = word_split_off(lv(word_at(l, upper)), half, l->tenant);
        so(word_at(l, upper), split);
        LABYRINTH_STEP("split.upper-head");
        head = word_resized(head, half);
        so(word_at(l, pfn), head);
        LABYRINTH_STEP("split.resized");
        so(word_at(l, upper), word_unclaimed(split));
        LABYRINTH_STEP("split.upper-free");
        now_free(l, upper);
    }
    so(&l->pages[pfn].owner, owner_word(thread, word));
    LABYRINTH_STEP("split.signed");
    return word_handle(word, pfn);
}

/* Claims a run of this order out of a free run of this order or larger, whose head was seen as this word. 0 if another
 * thread was first.
 */
uint64_t map_claim_seen(struct labyrinth *l, uint32_t pfn, uint64_t word, unsigned order, uint64_t flags,
                        uint64_t thread)
{
    if (word_order(word) != order) {
        return claim_and_split(l, pfn, word, order, flags, thread);
    }
    return word_fits(pfn, word, l->ordinary, l->frames) && claim(l, pfn, word, flags, thread) ? word_handle(word, pfn)
                                                                                             : 0;
}

/* HEADs after the first become TAILs of the first. The caller owns all frames from pfn to end. */
static void hide_heads(struct labyrinth *l, uint32_t pfn, uint32_t end)
{
    for (uint32_t inner = pfn + 1; inner < end; inner++) {
        uint64_t word = lv(word_at(l, inner));
        if (word_state(word) == LABYRINTH_HEAD) {
            so(word_at(l, inner), word_joined(word));
            LABYRINTH_STEP("join.hidden");
        }
    }
}

/* Claims the run of this order at pfn out of smaller free runs. It claims each of their heads by CAS, in ascending
 * order: all or none. Lock-free, at most 2^order CAS. 0 if a frame is not free, or another thread was first at one:
 * then all is as it was.
 */
uint64_t map_claim_and_join(struct labyrinth *l, uint32_t pfn, unsigned order, uint64_t flags, uint64_t thread)
{
    uint32_t end = pfn + (1U << order);
    uint32_t from = pfn; /* the runs in [from, to) are claimed, each with its own head */
    uint32_t to = pfn;
    while (to < end) {
        uint64_t word = lv(word_at(l, to));
        uint32_t next = to + word_frames(word);
        if (!word_is_free(word) || next > end || !cas(word_at(l, to), word, word_claimed(word, l->tenant, flags))) {
            goto rollback;
        }
        LABYRINTH_STEP("join.cas-won");
        to = next;
    }
    /* From here the first head covers all. The others become TAILs in any order. */
    uint64_t first = lv(word_at(l, pfn));
    so(word_at(l, pfn), word_resized(first, order));
    LABYRINTH_STEP("join.resized");
    hide_heads(l, pfn, end);
    so(&l->pages[pfn].owner, owner_word(thread, first));
    LABYRINTH_STEP("join.signed");
    return word_handle(first, pfn);
rollback:
    while (from < to) {
        uint32_t head = from;
        uint64_t word = word_unclaimed(lv(word_at(l, head)));
        so(word_at(l, head), word);
        LABYRINTH_STEP("rollback.freed");
        from = head + word_frames(word);
        now_free(l, head);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ give up */

enum labyrinth_error map_release(struct labyrinth *l, uint64_t handle, uint64_t thread)
{
    uint32_t pfn = handle_pfn(handle);
    if (UNLIKELY(pfn >= l->frames)) {
        enum labyrinth_error error = refuse_bounds(l, "free", handle);
        if (error == LABYRINTH_OK) {
            __builtin_unreachable();
        }
        return error;
    }
    struct labyrinth_page *page = &l->pages[pfn];
    uint64_t word = lv(&page->word);
    if (word_is_live_exclusive(word, handle, l->tenant)) {
        uint64_t target = word_released_exclusive(word, l->tenant);
        enum labyrinth_error error = leave(page, handle, word, thread, "free", target);
        if (error != LABYRINTH_OK) {
            return error;
        }
        LABYRINTH_STEP("free.stored");
    } else if (!word_is_live(word, handle)) {
        return refuse_handle(LABYRINTH_STALE, "free", handle, word, 0);
    } else if (word_is_exclusive(word)) {
        return map_refuse_exclusive(l, "free", handle, word);
    } else if (!word_fits(pfn, word, l->ordinary, l->frames)) {
        return refuse_handle(LABYRINTH_FOREIGN, "free", handle, word, 0);
    } else {
        LABYRINTH_STEP("free.seen");
        enum labyrinth_error error = leave_shared(page, handle, word, "free", word_released(word));
        if (error != LABYRINTH_OK) {
            return error;
        }
        LABYRINTH_STEP("free.cas-won");
    }
    now_free(l, pfn);
    return LABYRINTH_OK;
}

/* Ends this generation of the run and puts it in transit. Wait-free for an EXCLUSIVE run, one CAS otherwise. Returns
 * the ticket, which is a handle of the next generation; 0 if refused.
 */
uint64_t map_hand_off(struct labyrinth *l, uint64_t handle, uint64_t thread)
{
    uint32_t pfn = handle_pfn(handle);
    if (pfn >= l->frames) {
        refuse_bounds(l, "hand-over", handle);
        return 0;
    }
    struct labyrinth_page *page = &l->pages[pfn];
    uint64_t word = lv(&page->word);
    if (!word_is_live(word, handle)) {
        refuse_handle(LABYRINTH_STALE, "hand-over", handle, word, 0);
        return 0;
    }
    if (word_is_last_generation(word)) {
        refuse_handle(LABYRINTH_STALE, "hand-over in the last generation: free it instead", handle, word, 0);
        return 0;
    }
    uint64_t transit = word_in_transit(word);
    if (word_is_live_exclusive(word, handle, l->tenant)) {
        if (leave(page, handle, word, thread, "hand-over", transit) != LABYRINTH_OK) {
            return 0;
        }
        LABYRINTH_STEP("hand-over.stored");
    } else if (word_is_exclusive(word)) {
        map_refuse_exclusive(l, "hand-over", handle, word);
        return 0;
    } else if (!word_fits(pfn, word, l->ordinary, l->frames)) {
        refuse_handle(LABYRINTH_FOREIGN, "hand-over", handle, word, 0);
        return 0;
    } else {
        LABYRINTH_STEP("hand-over.seen");
        if (leave_shared(page, handle, word, "hand-over", transit) != LABYRINTH_OK) {
            return 0;
        }
        LABYRINTH_STEP("hand-over.cas-won");
    }
    return word_handle(transit, pfn);
}

/* Makes the thread the owner of a run in transit, once: one CAS. 0 if refused. */
uint64_t map_accept(struct labyrinth *l, uint64_t ticket, uint64_t thread)
{
    uint32_t pfn = handle_pfn(ticket);
    if (pfn >= l->frames) {
        refuse_bounds(l, "accept", ticket);
        return 0;
    }
    struct labyrinth_page *page = &l->pages[pfn];
    uint64_t word = lv(&page->word);
    if (word_state(word) != LABYRINTH_IN_TRANSIT || !word_same_generation(word, ticket)) {
        refuse_handle(LABYRINTH_STALE, "accept", ticket, word, 0);
        return 0;
    }
    if (!word_fits(pfn, word, l->ordinary, l->frames)) {
        refuse_handle(LABYRINTH_FOREIGN, "accept", ticket, word, 0);
        return 0;
    }
    LABYRINTH_STEP("accept.seen");
    if (!cas(&page->word, word, word_accepted(word, l->tenant))) {
        refuse_handle(LABYRINTH_STALE, "accept", ticket, lv(&page->word), 0);
        return 0;
    }
    LABYRINTH_STEP("accept.cas-won");
    so(&page->owner, owner_word(thread, ticket));
    LABYRINTH_STEP("accept.signed");
    return ticket;
}

/* The word of the run that the handle names, if it is live and, if EXCLUSIVE, this thread's. 0 if refused. */
uint64_t map_checked(struct labyrinth *l, uint64_t handle, const char *verb, uint64_t thread)
{
    uint32_t pfn = handle_pfn(handle);
    if (pfn >= l->frames) {
        refuse_bounds(l, verb, handle);
        return 0;
    }
    uint64_t word = lv(word_at(l, pfn));
    if (!word_is_live(word, handle)) {
        refuse_handle(LABYRINTH_STALE, verb, handle, word, 0);
        return 0;
    }
    uint64_t owner = lv(&l->pages[pfn].owner);
    if (word_is_exclusive(word) && (!word_is_of(word, l->tenant) || owner != owner_word(thread, handle))) {
        refuse_handle(LABYRINTH_NOT_OWNER, verb, handle, word, owner);
        return 0;
    }
    if (!word_fits(pfn, word, l->ordinary, l->frames)) {
        refuse_handle(LABYRINTH_FOREIGN, verb, handle, word, 0);
        return 0;
    }
    return word;
}

/* Takes the run back from a tenant that is known to be dead. The caller advises. False if somebody freed or accepted
 * it.
 */
bool map_take_back(struct labyrinth *l, uint32_t pfn, uint64_t word)
{
    return cas(word_at(l, pfn), word, word_released(word));
}

/* The heads of a dead tenant after the first become TAILs of the first: the tenant's split or join had not written them
 * yet. By CAS, because an earlier sweep may have begun this and was killed.
 */
void map_hide_heads_of(struct labyrinth *l, uint32_t pfn, uint32_t end, uint64_t tenant)
{
    for (uint32_t inner = pfn + 1; inner < end; inner++) {
        uint64_t word = lv(word_at(l, inner));
        if (word_state(word) == LABYRINTH_HEAD && word_is_of(word, tenant)) {
            cas(word_at(l, inner), word, word_joined(word));
            LABYRINTH_STEP("sweep.hidden");
        }
    }
}

/* ------------------------------------------------------------------------------------------------ advice */

void map_advise_all(struct labyrinth *l)
{
    for (uint32_t group = 0; group < l->groups; group++) {
        now_free(l, group << LABYRINTH_GROUP_ORDER);
    }
}

static bool has_free_head(struct labyrinth *l, uint32_t group)
{
    uint32_t end = (group + 1) << LABYRINTH_GROUP_ORDER;
    end = end < l->frames ? end : l->frames;
    for (uint32_t pfn = group << LABYRINTH_GROUP_ORDER; pfn < end; pfn++) {
        if (word_is_free(lv(word_at(l, pfn)))) {
            return true;
        }
    }
    return false;
}

/* Clears the group's advice if none of its words is FREE. Wait-free: 64 words, 2 CAS. During the look the stamp is in
 * the advice, which still reads as "maybe". So a thread that freezes or dies here hides nothing. No other thread has
 * this stamp, so the second CAS succeeds only if no free came between. Returns the number of words that it may have
 * read.
 */
uint32_t map_clear_group(struct labyrinth *l, uint32_t group, uint64_t stamp)
{
    uint64_t *advice = &l->advice[group].maybe_free;
    uint64_t seen = lv(advice);
    if (seen != 0 && cas(advice, seen, stamp)) {
        LABYRINTH_STEP("clear.group-stamped");
        if (!has_free_head(l, group)) {
            LABYRINTH_STEP("clear.group-looked");
            cas(advice, stamp, 0);
            LABYRINTH_STEP("clear.group-cleared");
        }
    }
    return GROUP_FRAMES;
}

static bool has_advised_group(struct labyrinth *l, uint32_t span)
{
    uint32_t end = (span + 1) << l->span_shift;
    end = end < l->groups ? end : l->groups;
    for (uint32_t group = span << l->span_shift; group < end; group++) {
        if (group_may_be_free(l, group)) {
            return true;
        }
    }
    return false;
}

/* As map_clear_group, for a span: it reads the advice of the span's groups. Wait-free: 2^span_shift words, 2 CAS. */
uint32_t map_clear_span(struct labyrinth *l, uint32_t span, uint64_t stamp)
{
    uint64_t *advice = &l->advice[l->groups + span].maybe_free;
    uint64_t seen = lv(advice);
    if (seen != 0 && cas(advice, seen, stamp)) {
        LABYRINTH_STEP("clear.span-stamped");
        if (!has_advised_group(l, span)) {
            LABYRINTH_STEP("clear.span-looked");
            cas(advice, stamp, 0);
            LABYRINTH_STEP("clear.span-cleared");
        }
    }
    return 1U << l->span_shift;
}
