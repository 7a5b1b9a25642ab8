/* SPDX-License-Identifier: Apache-2.0
 *
 * zone.c: the policy: where an allocation looks, in which order, and how far. The part that a pair needs is in zone.h.
 * The policy decides nothing about ownership: every answer comes from a compare-and-set in page_map.c. The twin of
 * Zone.java, which explains the reasons at length.
 *
 * The stripes are this attachment's own memory. Other processes do not see them. A stripe has the hint of the run freed
 * last, a ring of older hints, and a cursor: where the last walk ended. Threads race on them on purpose, with relaxed
 * reads and writes. A wrong hint costs one failed CAS, because the page word decides.
 */
#include "zone.h"

/* A sprint's bounds: in looks at the advice, in groups searched, and in words. After a request that got nothing, not
 * even from the reserve, the next sprint of the stripe is shorter, and goes on where the last one ended. A look at a
 * span counts as LOOKS_OF_SPAN looks.
 */
enum {
    SPRINT_LOOKS = 21,
    LOOKS_OF_SPAN = 5,
    SPRINT_LOOKS_WHEN_EXHAUSTED = 1 + LOOKS_OF_SPAN,
    SPRINT_GROUPS = 4,
    SPRINT_SPAN_SHIFT = 6, /* a sprint clears no larger spans: to clear one, it looks at all of it */
};

/* What a walk is for, and how far it may go. */
struct walk {
    struct labyrinth *l;
    _Atomic uint64_t *stripe;
    uint64_t flags;
    uint64_t thread;
    unsigned order;
    int32_t looks;  /* the groups and spans whose advice may be looked at */
    int32_t groups; /* the groups that may be searched */
};

uint64_t zone_stripe_longs(uint32_t frames, uint64_t processors)
{
    uint64_t wanted = (processors < 2 ? 2 : processors) * 8;
    wanted = wanted < frames >> 3 ? wanted : frames >> 3;
    return 1ULL << (wanted < 1 ? 0 : 63 - __builtin_clzll(wanted)) << STRIPE_SHIFT;
}

/* The golden ratio as a fraction of 2^32: its multiples lie far apart. */
#define GOLDEN 0x9E3779B9ULL

/* The cursors of the stripes begin all over the labyrinth, and for each tenant in other places. The first threads of
 * two processes have the same stripe. If they began in the same place, they would claim neighbours, whose words and
 * advice share cache lines.
 */
void zone_start_stripes(struct labyrinth *l)
{
    uint64_t count = (l->stripe_mask + 1) >> STRIPE_SHIFT;
    uint64_t first = l->ordinary * (l->slot * GOLDEN & UINT32_MAX) >> 32;
    for (uint64_t stripe = 0; stripe < count; stripe++) {
        uint64_t start = (first + l->ordinary * stripe / count) % l->ordinary;
        set(stripe_of(l, stripe), CURSOR, start & ~(uint64_t) (GROUP_FRAMES - 1));
    }
}

/* ------------------------------------------------------------------------------------------------ walk */

static inline bool is_span_start(const struct labyrinth *l, uint32_t group)
{
    return l->span_shift >= 0 && (group & ((1U << l->span_shift) - 1)) == 0;
}

static inline uint32_t end_of_span(const struct labyrinth *l, uint32_t span)
{
    uint64_t end = (uint64_t) (span + 1) << (l->span_shift + LABYRINTH_GROUP_ORDER);
    return end < l->frames ? (uint32_t) end : l->frames;
}

/* Whether all of the run of this order at pfn is free now, in any number of pieces. At most 2^order words. */
static bool is_all_free(const struct labyrinth *l, uint32_t pfn, unsigned order)
{
    uint32_t end = pfn + (1U << order);
    uint32_t next = pfn;
    while (next < end) {
        uint64_t word = lv(&l->pages[next].word);
        if (!word_is_free(word)) {
            return false;
        }
        next += word_frames(word);
    }
    return next == end;
}

/* The span in whose middle a sprint begins, if the sprint may clear it at its end: earlier sprints have seen the span's
 * beginning. -1 if there is none.
 */
static int64_t resumed_span(const struct labyrinth *l, uint32_t from)
{
    uint32_t group = from >> LABYRINTH_GROUP_ORDER;
    bool none = l->span_shift < 0 || l->span_shift > SPRINT_SPAN_SHIFT || is_span_start(l, group)
                || !span_may_be_free(l, group >> l->span_shift);
    return none ? -1 : (int64_t) (group >> l->span_shift);
}

/* Skips spans without advice in one small loop: nearly all spans of an exhausted labyrinth have none. Returns where to
 * go on.
 */
static uint32_t skip_spans(const struct labyrinth *l, uint32_t span, uint32_t to, int32_t *looks, uint64_t *steps)
{
    int64_t last = ((to - 1) >> LABYRINTH_GROUP_ORDER >> l->span_shift) - span;
    last = (last < *looks / LOOKS_OF_SPAN ? last : *looks / LOOKS_OF_SPAN) + span;
    uint32_t next = span + 1;
    while (next <= last && !span_may_be_free(l, next)) {
        next++;
    }
    *steps += next - span - 1;
    *looks -= (int32_t) (next - span - 1) * LOOKS_OF_SPAN;
    return end_of_span(l, next - 1);
}

/* Searches the runs whose heads are in [from, to) for a run of this order that ends at or before the limit. Leaves the
 * stripe's cursor where the search ended.
 */
static uint64_t search(const struct walk *walk, uint32_t from, uint32_t to, uint32_t limit)
{
    struct labyrinth *l = walk->l;
    uint64_t stamp = (walk->thread << LABYRINTH_TENANT_BITS | l->slot) << 1;
    uint32_t run = 1U << walk->order;
    uint32_t pfn = from;
    uint64_t steps = 0;
    int32_t looks = walk->looks;
    int32_t groups = walk->groups;
    /* The span that the search is in, if nothing free is known from its start to here. -1 otherwise. */
    int64_t whole_span = walk->looks == INT32_MAX ? -1 : resumed_span(l, from);
    while (pfn < to && looks > 0 && groups > 0) {
        uint32_t group = pfn >> LABYRINTH_GROUP_ORDER;
        looks--;
        steps++;
        if (is_span_start(l, group)) {
            if (whole_span >= 0) {
                steps += map_clear_span(l, (uint32_t) whole_span, stamp);
            }
            whole_span = group >> l->span_shift;
            if (!span_may_be_free(l, (uint32_t) whole_span)) {
                pfn = skip_spans(l, (uint32_t) whole_span, to, &looks, &steps);
                whole_span = -1;
                continue;
            }
        }
        uint32_t end = (group + 1) << LABYRINTH_GROUP_ORDER;
        if (!group_may_be_free(l, group)) {
            pfn = end;
            continue;
        }
        end = end < to ? end : to;
        groups--;
        bool free = pfn != group << LABYRINTH_GROUP_ORDER;
        while (pfn < end) {
            uint64_t word = lv(&l->pages[pfn].word);
            steps++;
            if (word_is_free(word)) {
                uint64_t handle = 0;
                free = true;
                whole_span = -1;
                if (word_order(word) >= walk->order) {
                    handle = map_claim_seen(l, pfn, word, walk->order, walk->flags, walk->thread);
                    add(walk->stripe, LOST, handle == 0);
                } else if ((pfn & (run - 1)) == 0 && pfn + run <= limit) {
                    steps += run;
                    if (is_all_free(l, pfn, walk->order)) {
                        handle = map_claim_and_join(l, pfn, walk->order, walk->flags, walk->thread);
                    }
                }
                if (handle != 0) {
                    add(walk->stripe, STEPS, steps);
                    set(walk->stripe, CURSOR, pfn + run);
                    return handle;
                }
            }
            pfn = word_next(pfn, word);
        }
        if (!free) {
            steps += map_clear_group(l, group, stamp);
        }
    }
    if (whole_span >= 0 && pfn >= end_of_span(l, (uint32_t) whole_span)) {
        steps += map_clear_span(l, (uint32_t) whole_span, stamp);
    }
    add(walk->stripe, STEPS, steps);
    set(walk->stripe, CURSOR, pfn);
    return 0;
}

/* A sprint goes on where the last one of the stripe ended. Otherwise it would never see the end of a large reserve. */
static uint64_t walk_reserve(const struct walk *walk, bool sprint)
{
    uint32_t start = walk->l->ordinary;
    uint32_t end = walk->l->frames;
    uint64_t resume = get(walk->stripe, CURSOR);
    uint64_t cursor = get(walk->stripe, RESERVE_CURSOR);
    uint32_t from = !sprint || cursor < start ? start : cursor > end ? end : (uint32_t) cursor;
    uint64_t handle = search(walk, from, end, end);
    if (handle == 0 && from != start && get(walk->stripe, CURSOR) >= end) {
        handle = search(walk, start, end, end);
    }
    set(walk->stripe, RESERVE_CURSOR, get(walk->stripe, CURSOR));
    set(walk->stripe, CURSOR, resume);
    add(walk->stripe, RESERVE_HITS, handle != 0);
    return handle;
}

/* Where a sprint looks a second time. The frames that one thread holds lie side by side, so 4 groups in a row can have
 * nothing free while most of the labyrinth is free.
 */
static uint32_t elsewhere(const struct labyrinth *l, uint64_t cursor)
{
    return (uint32_t) ((cursor + (l->ordinary * GOLDEN >> 32)) % l->ordinary) & ~(GROUP_FRAMES - 1U);
}

static uint64_t walk(struct labyrinth *l, uint32_t gfp, unsigned order, uint64_t flags, _Atomic uint64_t *stripe,
                     uint64_t thread)
{
    uint32_t ordinary = l->ordinary;
    bool sprint = (gfp & LABYRINTH_GFP_ATOMIC & ~LABYRINTH_GFP_HIGH) != 0;
    int32_t looks = !sprint ? INT32_MAX : get(stripe, EXHAUSTED) == 0 ? SPRINT_LOOKS : SPRINT_LOOKS_WHEN_EXHAUSTED;
    struct walk walk = {l, stripe, flags, thread, order, looks, sprint ? SPRINT_GROUPS : INT32_MAX};
    uint32_t cursor = get(stripe, CURSOR) < ordinary ? (uint32_t) get(stripe, CURSOR) : ordinary;
    /* Mostly the next word has what is wanted: in a burst, and for a giver whose frames others free, frames come in
     * order.
     */
    if (cursor < ordinary) {
        uint64_t word = lv(&l->pages[cursor].word);
        if (word_is_free(word) && word_order(word) == order) {
            uint64_t next = map_claim_seen(l, cursor, word, order, flags, thread);
            if (next != 0) {
                set(stripe, STEPS, 1);
                set(stripe, EXHAUSTED, 0);
                set(stripe, CURSOR, cursor + (1U << order));
                return next;
            }
            add(stripe, LOST, 1);
        }
    }
    set(stripe, STEPS, 0);
    /* The cursor's group is searched twice: first from the cursor on, and at the end as a whole. */
    uint32_t wrap = (cursor | (GROUP_FRAMES - 1)) + 1;
    wrap = wrap < ordinary ? wrap : ordinary;
    uint64_t handle = cursor == ordinary ? 0 : search(&walk, cursor, ordinary, ordinary);
    if (handle == 0 && (!sprint || get(stripe, CURSOR) >= ordinary)) {
        handle = search(&walk, 0, sprint ? ordinary : wrap, ordinary);
    } else if (handle == 0 && get(stripe, EXHAUSTED) == 0) {
        handle = search(&walk, elsewhere(l, get(stripe, CURSOR)), ordinary, ordinary);
    }
    if (handle == 0 && ordinary < l->frames && (gfp & LABYRINTH_GFP_HIGH) != 0) {
        handle = walk_reserve(&walk, sprint);
    }
    if (handle == 0) {
        add(stripe, (gfp & LABYRINTH_GFP_NOWARN) != 0 ? REFUSED_QUIETLY : REFUSED, 1);
        refuse_nothing();
    }
    set(stripe, EXHAUSTED, handle == 0);
    return handle;
}

/* Claims a run by the next hint, and otherwise by a walk. */
uint64_t zone_claim_older(struct labyrinth *l, uint32_t gfp, unsigned order, uint64_t flags, _Atomic uint64_t *stripe,
                          uint64_t thread)
{
    unsigned top = get(stripe, TOP) & (HINTS - 1);
    uint64_t hint = get(stripe, RING + top);
    if (hint != 0) {
        set(stripe, RING + top, 0);
        set(stripe, TOP, top - 1U);
        if (map_claim_hinted(l, hint, order, flags, thread)) {
            return hint;
        }
        add(stripe, LOST, 1);
    }
    return walk(l, gfp, order, flags, stripe, thread);
}

/* ------------------------------------------------------------------------------------------------ counters */

static uint64_t sum(const struct labyrinth *l, unsigned counter)
{
    uint64_t sum = 0;
    for (uint64_t stripe = 0; stripe <= l->stripe_mask >> STRIPE_SHIFT; stripe++) {
        sum += get(stripe_of(l, stripe), counter);
    }
    return sum;
}

void zone_count(const struct labyrinth *l, struct labyrinth_stats *stats)
{
    stats->refused_approx = sum(l, REFUSED) + sum(l, REFUSED_QUIETLY);
    stats->reserve_hits_approx = sum(l, RESERVE_HITS);
    stats->lost_approx = sum(l, LOST);
}

uint64_t zone_last_walk_steps(const struct labyrinth *l, uint64_t thread)
{
    return get(stripe_of(l, thread), STEPS);
}
