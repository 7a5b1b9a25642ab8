/* SPDX-License-Identifier: Apache-2.0
 *
 * page_map_scan.c: the passes over all page words that change nothing. The twin of PageMapScan.java. They read while
 * others allocate. They may then see one frame before its change and another frame after its change. They are exact for
 * a labyrinth at rest. No word, however wrong, leads them outside of the page map.
 */
#include "internal.h"
#include <string.h>

uint64_t frames_out(const struct labyrinth *l, uint64_t tenant, uint64_t *runs)
{
    uint64_t frames = 0;
    *runs = 0;
    for (uint32_t pfn = 0; pfn < l->frames;) {
        uint64_t word = lv(&l->pages[pfn].word);
        if (word_is_out(word) && word_is_of(word, tenant)) {
            frames += word_end(pfn, word, l->frames) - pfn;
            *runs += 1;
        }
        pfn = word_next(pfn, word);
    }
    return frames;
}

enum labyrinth_error labyrinth_count(struct labyrinth *l, struct labyrinth_stats *stats)
{
    if (l->frames == 0) {
        return refuse_bounds(l, "stats", 0);
    }
    uint64_t by_state[1 << LABYRINTH_STATE_BITS] = {0};
    uint64_t runs;
    memset(stats, 0, sizeof *stats);
    for (uint32_t pfn = 0; pfn < l->frames;) {
        uint64_t word = lv(&l->pages[pfn].word);
        uint32_t frames = word_end(pfn, word, l->frames) - pfn; /* within the labyrinth, whatever the word says */
        by_state[word_state(word)] += word_state(word) == LABYRINTH_TAIL ? 0 : frames;
        if (word_is_free(word)) {
            stats->reserve_free += pfn >= l->ordinary ? frames : 0;
        }
        if (word_is_free(word) && word_fits(pfn, word, l->ordinary, l->frames)) {
            stats->free_runs[word_order(word)]++;
        }
        pfn = word_next(pfn, word);
    }
    for (uint32_t pfn = 0; pfn < l->frames; pfn++) {
        uint64_t generation = word_generation(lv(&l->pages[pfn].word));
        stats->lives_ended += generation > l->first_generation ? generation - l->first_generation : 0;
    }
    for (uint32_t slot = LABYRINTH_FIRST_TENANT; slot < LABYRINTH_TENANTS; slot++) {
        stats->tenants += lv(&l->tenants[slot].state) != LABYRINTH_VACANT;
    }
    stats->frames = l->frames;
    stats->page_size = l->page_size;
    stats->free = by_state[LABYRINTH_FREE] - stats->reserve_free;
    stats->reserve = l->frames - l->ordinary;
    stats->claimed = by_state[LABYRINTH_HEAD];
    stats->mine = frames_out(l, l->tenant, &runs);
    stats->in_transit = by_state[LABYRINTH_IN_TRANSIT];
    stats->quarantined = by_state[LABYRINTH_QUARANTINED];
    stats->mapped_bytes = l->mapped_bytes;
    stats->metadata_bytes = l->metadata_bytes;
    stats->locked = (uint64_t) l->locked;
    zone_count(l, stats);
    return LABYRINTH_OK;
}

/* Whether a walk would find this frame if it is free. */
static bool is_advised(const struct labyrinth *l, uint32_t pfn)
{
    uint32_t group = pfn >> LABYRINTH_GROUP_ORDER;
    return group_may_be_free(l, group) && (l->span_shift < 0 || span_may_be_free(l, group >> l->span_shift));
}

/* Whether the tenant in this word has a slot that is taken. */
static bool is_tenanted(const struct labyrinth *l, uint64_t word)
{
    uint64_t slot = (word & TENANT_FIELD) >> LABYRINTH_TENANT_SHIFT;
    return slot != 0 && lv(&l->tenants[slot].state) != LABYRINTH_VACANT;
}

static const char *violation(const struct labyrinth *l, uint32_t pfn, uint64_t word, uint32_t *found)
{
    unsigned state = word_state(word);
    uint32_t end = pfn + word_frames(word);
    if (state == LABYRINTH_TAIL || state < LABYRINTH_FREE || state > LABYRINTH_QUARANTINED) {
        return "a run must begin here";
    }
    if (word_order(word) > LABYRINTH_MAX_ORDER || end > l->frames || (pfn & (word_frames(word) - 1)) != 0) {
        return "a run must be aligned, within the labyrinth, of order 0 to 10";
    }
    if (pfn < l->ordinary && end > l->ordinary) {
        return "a run must not reach into the reserve";
    }
    if (state == LABYRINTH_FREE && (word & LOW_FIELD) != word_low(LABYRINTH_FREE, word_order(word))) {
        return "a free run must have no tenant and no flags";
    }
    if (word_is_out(word) && !is_tenanted(l, word)) {
        return "a run that is out must be of a tenant whose slot is taken";
    }
    if (state == LABYRINTH_HEAD && !word_is_signed(word, lv(&l->pages[pfn].owner))) {
        return "a HEAD must have an owner of the same generation";
    }
    if (state == LABYRINTH_FREE && !is_advised(l, pfn)) {
        return "a free run must not be hidden by its group's or its span's advice";
    }
    for (uint32_t tail = pfn + 1; tail < end; tail++) {
        if (word_state(lv(&l->pages[tail].word)) != LABYRINTH_TAIL) {
            *found = tail;
            return "all frames of a run after its head must be TAIL";
        }
    }
    return NULL;
}

enum labyrinth_error labyrinth_validate(struct labyrinth *l)
{
    if (l->frames == 0) {
        return refuse_bounds(l, "validate", 0);
    }
    for (uint32_t pfn = 0; pfn < l->frames;) {
        uint64_t word = lv(&l->pages[pfn].word);
        uint32_t found = pfn;
        const char *rule = violation(l, pfn, word, &found);
        if (rule != NULL) {
            return refuse((struct refusal){.error = LABYRINTH_VIOLATION, .rule = rule, .handle = word_handle(word, pfn),
                                           .word = word, .owner = lv(&l->pages[pfn].owner), .value = found});
        }
        pfn += word_frames(word);
    }
    return LABYRINTH_OK;
}
