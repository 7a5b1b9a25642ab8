/* SPDX-License-Identifier: Apache-2.0
 *
 * ops: every operation of a single caller does what it promises.
 */
#include "check.h"
#include <unistd.h>

static void a_pair_takes_the_frame_freed_last(void)
{
    struct labyrinth l;
    int fd;
    new_labyrinth(&l, 64, 0, &fd);
    uint64_t first = labyrinth_alloc_page_gfp_atomic_exclusive(&l);
    CHECK(first != 0 && labyrinth_order(&l, first) == 0 && labyrinth_byte_size(&l, first) == l.page_size);
    CHECK((char *) labyrinth_address(&l, first) == l.memory + (uint64_t) handle_pfn(first) * l.page_size);
    CHECK_OK(labyrinth_free(&l, first));
    CHECK(labyrinth_alloc_page(&l, EXCLUSIVE) == handle_next_generation(first));
    CHECK_OK(labyrinth_free(&l, handle_next_generation(first)));
    CHECK_OK(labyrinth_validate(&l));
    CHECK(stats_of(&l).lives_ended == 2);
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

static void every_order_is_aligned_split_and_joined_again(void)
{
    struct labyrinth l;
    int fd;
    new_labyrinth(&l, 3000, 0, &fd);
    for (unsigned order = 0; order <= LABYRINTH_MAX_ORDER; order++) {
        uint64_t runs[3001];
        unsigned count = 0;
        while ((runs[count] = labyrinth_alloc_pages(&l, NOWAIT, order)) != 0) {
            CHECK((handle_pfn(runs[count]) & ((1U << order) - 1)) == 0);
            stamp(&l, runs[count], order, 7);
            count++;
        }
        CHECK_OK(labyrinth_last_error());
        CHECK(count == 3000U >> order);
        CHECK_OK(labyrinth_validate(&l));
        for (unsigned i = 0; i < count; i++) {
            CHECK(is_stamped(&l, runs[i], order, 7));
            CHECK_OK(labyrinth_free(&l, runs[i]));
        }
        CHECK_OK(labyrinth_validate(&l));
        CHECK(stats_of(&l).free == 3000);
    }
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

static void runs_are_aligned_in_memory_up_to_2_mib(void)
{
    struct labyrinth l;
    int fd;
    new_labyrinth(&l, 1024, 0, &fd);
    CHECK(((uintptr_t) l.memory & ((2U << 20) - 1)) == 0);
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

static void zero_reads_as_zeros_and_nothing_else_is_touched(void)
{
    struct labyrinth l;
    int fd;
    new_labyrinth(&l, 64, 0, &fd);
    memset(l.memory, 0xAA, 64ULL * l.page_size);
    uint64_t run = labyrinth_alloc_pages(&l, EXCLUSIVE | LABYRINTH_GFP_ZERO, 2);
    char *bytes = labyrinth_address(&l, run);
    for (size_t i = 0; i < labyrinth_byte_size(&l, run); i++) {
        CHECK(bytes[i] == 0);
    }
    for (char *at = l.memory; at < l.memory + 64ULL * l.page_size; at++) {
        CHECK((at >= bytes && at < bytes + labyrinth_byte_size(&l, run)) || *at == (char) 0xAA);
    }
    CHECK_OK(labyrinth_free(&l, run));
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

static unsigned take_all(struct labyrinth *l, uint32_t gfp, uint64_t *handles)
{
    unsigned count = 0;
    while ((handles[count] = labyrinth_alloc_page(l, gfp)) != 0) {
        count++;
    }
    return count;
}

static void the_reserve_is_exact_and_for_high_only(void)
{
    struct labyrinth l;
    int fd;
    uint64_t ordinary[101], reserve[31];
    new_labyrinth(&l, 130, 30, &fd);
    CHECK(take_all(&l, NOWAIT, ordinary) == 100);
    CHECK_NOTHING(LABYRINTH_OK, labyrinth_alloc_page(&l, LABYRINTH_GFP_NOMEMALLOC));
    CHECK(take_all(&l, LABYRINTH_GFP_ATOMIC, reserve) == 30);
    CHECK(stats_of(&l).reserve_hits_approx == 30);
    for (unsigned i = 0; i < 30; i++) {
        CHECK(handle_pfn(reserve[i]) >= 100);
        CHECK_OK(labyrinth_free(&l, reserve[i]));
        CHECK_NOTHING(LABYRINTH_OK, labyrinth_alloc_page(&l, NOWAIT));
    }
    for (unsigned i = 0; i < 100; i++) {
        CHECK_OK(labyrinth_free(&l, ordinary[i]));
    }
    CHECK(labyrinth_alloc_pages(&l, LABYRINTH_GFP_HIGH, 7) == 0); /* no run crosses into the reserve */
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

/* A walk has cleared the advice. A frame that is then freed is found again, wherever it is, and the walk is bounded. */
static void what_is_freed_is_found_in_cleared_groups_and_spans(void)
{
    static uint64_t handles[20001];
    struct labyrinth l;
    int fd;
    new_labyrinth(&l, 20000, 100, &fd);
    CHECK(l.spans > 0);
    CHECK(take_all(&l, NOWAIT, handles) == 19900);
    CHECK_NOTHING(LABYRINTH_OK, labyrinth_alloc_page(&l, NOWAIT));
    for (uint32_t group = 0; group < 19900 / GROUP_FRAMES; group++) {
        CHECK(!group_may_be_free(&l, group));
    }
    CHECK_NOTHING(LABYRINTH_OK, labyrinth_alloc_page(&l, NOWAIT));
    CHECK(zone_last_walk_steps(&l, current_thread()) < 2 * l.spans + 8 * GROUP_FRAMES);
    for (unsigned i = 0; i < 19900; i += 997) {
        CHECK_OK(map_release(&l, handles[i], current_thread())); /* without a hint */
        uint64_t found = labyrinth_alloc_page(&l, NOWAIT);
        CHECK(found == handle_next_generation(handles[i]));
        handles[i] = found;
    }
    for (unsigned i = 0; i < 19900; i++) {
        CHECK_OK(labyrinth_free(&l, handles[i]));
    }
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

static void a_sprint_is_short_and_the_next_goes_on(void)
{
    static uint64_t handles[20001];
    struct labyrinth l;
    int fd;
    new_labyrinth(&l, 20000, 0, &fd);
    CHECK(take_all(&l, NOWAIT, handles) == 20000);
    map_advise_all(&l); /* so that there is something to look at */
    CHECK_OK(map_release(&l, handles[19990], current_thread()));
    uint64_t found = 0;
    for (unsigned sprints = 0; found == 0; sprints++) {
        CHECK(sprints < 400);
        found = labyrinth_alloc_page_gfp_atomic_exclusive(&l);
        CHECK(zone_last_walk_steps(&l, current_thread()) <= 3500);
    }
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach_now(&l));
    close(fd);
}

static void a_run_in_transit_keeps_what_was_written(void)
{
    struct labyrinth l;
    int fd;
    new_labyrinth(&l, 64, 0, &fd);
    for (unsigned order = 0; order < 4; order++) {
        for (uint32_t gfp = NOWAIT; gfp <= EXCLUSIVE; gfp += EXCLUSIVE) {
            uint64_t run = labyrinth_alloc_pages(&l, gfp, order);
            stamp(&l, run, order, 0);
            uint64_t ticket = labyrinth_hand_off(&l, run);
            CHECK(ticket == handle_next_generation(run));
            CHECK(stats_of(&l).in_transit == 1U << order && stats_of(&l).claimed == 0);
            CHECK(labyrinth_accept(&l, ticket) == ticket);
            CHECK(labyrinth_order(&l, ticket) == (int) order && is_stamped(&l, run, order, 0));
            CHECK_OK(labyrinth_free(&l, ticket));
        }
    }
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

static void a_frame_in_its_last_generation_is_quarantined(void)
{
    struct labyrinth l;
    int fd;
    new_labyrinth(&l, 1, 0, &fd);
    for (int exclusive = 0; exclusive < 2; exclusive++) {
        so(&l.pages[0].word, word_first(LAST_GENERATION, LABYRINTH_FREE, 0));
        map_advise_all(&l);
        uint64_t frame = labyrinth_alloc_page(&l, exclusive ? EXCLUSIVE : NOWAIT);
        CHECK(word_generation(frame) == LAST_GENERATION);
        CHECK_NOTHING(LABYRINTH_STALE, labyrinth_hand_off(&l, frame));
        CHECK_OK(labyrinth_free(&l, frame));
        CHECK(stats_of(&l).quarantined == 1);
        CHECK_NOTHING(LABYRINTH_OK, labyrinth_alloc_page(&l, NOWAIT));
        CHECK_REFUSED(LABYRINTH_STALE, labyrinth_free(&l, frame));
        CHECK_OK(labyrinth_validate(&l));
    }
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

static void stats_count_what_there_is(void)
{
    struct labyrinth l;
    int fd;
    new_labyrinth(&l, 300, 44, &fd);
    struct labyrinth_stats stats = stats_of(&l);
    CHECK(stats.frames == 300 && stats.free == 256 && stats.reserve == 44 && stats.reserve_free == 44);
    CHECK(stats.free_runs[8] == 1 && stats.free_runs[5] == 1 && stats.free_runs[3] == 1 && stats.free_runs[2] == 1);
    CHECK(stats.tenants == 1 && stats.claimed == 0 && stats.lives_ended == 0 && stats.page_size == l.page_size);
    CHECK(stats.mapped_bytes == stats.metadata_bytes + 300ULL * l.page_size);
    uint64_t run = labyrinth_alloc_pages(&l, NOWAIT, 3);
    stats = stats_of(&l);
    CHECK(stats.claimed == 8 && stats.mine == 8 && stats.free == 248);
    CHECK(labyrinth_alloc_pages(&l, LABYRINTH_GFP_NOWARN, 9) == 0);
    CHECK(stats_of(&l).refused_approx == 1);
    CHECK_OK(labyrinth_free(&l, run));
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(a_pair_takes_the_frame_freed_last),
        TEST(every_order_is_aligned_split_and_joined_again),
        TEST(runs_are_aligned_in_memory_up_to_2_mib),
        TEST(zero_reads_as_zeros_and_nothing_else_is_touched),
        TEST(the_reserve_is_exact_and_for_high_only),
        TEST(what_is_freed_is_found_in_cleared_groups_and_spans),
        TEST(a_sprint_is_short_and_the_next_goes_on),
        TEST(a_run_in_transit_keeps_what_was_written),
        TEST(a_frame_in_its_last_generation_is_quarantined),
        TEST(stats_count_what_there_is),
    };
    return RUN_TESTS("ops", tests);
}
