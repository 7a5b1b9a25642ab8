/* SPDX-License-Identifier: Apache-2.0
 *
 * steps: what others do at exactly that moment. A hook at a named step plays another tenant or thread at this step, in
 * every run of the test.
 */
#define _GNU_SOURCE
#include "check.h"
#include "crash_points.h"
#include <unistd.h>

static struct labyrinth l;
static struct labyrinth other;
static int fd;

static const char *at_step;
static void (*meanwhile)(void);
static int times;

static void hook(const char *name)
{
    if (meanwhile != NULL && strcmp(name, at_step) == 0) {
        void (*once)(void) = meanwhile;
        meanwhile = NULL;
        once();
        times++;
    }
}

static void at(const char *step, void (*what)(void))
{
    at_step = step;
    meanwhile = what;
    times = 0;
    labyrinth_step = hook;
}

static void open_with_a_dead_tenant(uint64_t frames)
{
    new_labyrinth(&l, frames, 0, &fd);
    CHECK_OK(labyrinth_attach_fd(&other, fd, LABYRINTH_LOCK_NONE));
    CHECK(labyrinth_alloc_pages(&other, EXCLUSIVE, 2) != 0);
    CHECK_OK(labyrinth_detach_now(&other));
}

static void close_all(void)
{
    CHECK(times == 1);
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

static void sweep_too(void)
{
    CHECK(labyrinth_sweep(&l) == 0);
    CHECK(lv(&l.tenants[2].state) == LABYRINTH_TENANT);
}

/* Otherwise the second sweep would get the same lock, and release it in the middle of the first sweep. */
static void a_second_sweep_through_one_attachment_does_nothing(void)
{
    open_with_a_dead_tenant(64);
    at("sweep.locked", sweep_too);
    CHECK(labyrinth_sweep(&l) == 4);
    CHECK(labyrinth_sweep(&l) == 0);
    close_all();
}

static void attach_another(void)
{
    CHECK_OK(labyrinth_attach_fd(&other, fd, LABYRINTH_LOCK_NONE));
    CHECK(other.slot == LABYRINTH_FIRST_TENANT + 2);
    CHECK(labyrinth_sweep(&other) == 0);
}

static void a_slot_that_is_being_swept_is_given_to_nobody(void)
{
    open_with_a_dead_tenant(64);
    at("sweep.taken-back", attach_another);
    CHECK(labyrinth_sweep(&l) == 4);
    CHECK_OK(labyrinth_detach(&other));
    close_all();
}

static uint64_t runs[64];

static void free_one(void)
{
    CHECK_OK(map_release(&l, runs[17], current_thread()));
}

/* The free comes before the look or after it. The walk that clears the group must leave its advice. */
static void a_free_while_a_group_is_cleared_is_not_hidden(void)
{
    static const char *const moments[] = {"clear.group-stamped", "clear.group-looked"};
    for (int moment = 0; moment < 2; moment++) {
        new_labyrinth(&l, 64, 0, &fd);
        for (int i = 0; i < 64; i++) {
            runs[i] = labyrinth_alloc_page(&l, NOWAIT);
        }
        at(moments[moment], free_one);
        uint64_t found = labyrinth_alloc_page(&l, NOWAIT);
        CHECK(times == 1);
        CHECK_OK(labyrinth_validate(&l));
        found = found != 0 ? found : labyrinth_alloc_page(&l, NOWAIT);
        CHECK(found == handle_next_generation(runs[17]));
        runs[17] = found;
        for (int i = 0; i < 64; i++) {
            CHECK_OK(labyrinth_free(&l, runs[i]));
        }
        close_all();
    }
}

static void take_the_rest(void)
{
    for (uint32_t pfn = 0; pfn < l.frames; pfn++) {
        uint64_t word = lv(&l.pages[pfn].word);
        runs[pfn] = word_is_free(word) ? map_claim_seen(&other, pfn, word, 0, 0, current_thread()) : 0;
    }
    so(&l.advice[0].maybe_free, 0); /* as a walk that finds nothing free does now */
}

/* All or nothing: what the join had claimed is free again, in the same generation, and is found. */
static void a_join_that_loses_a_frame_is_taken_back_without_a_trace(void)
{
    new_labyrinth(&l, 8, 0, &fd);
    CHECK_OK(labyrinth_attach_fd(&other, fd, LABYRINTH_LOCK_NONE));
    for (int i = 0; i < 8; i++) {
        runs[i] = labyrinth_alloc_page(&l, NOWAIT);
    }
    for (int i = 0; i < 8; i++) {
        CHECK_OK(map_release(&l, runs[i], current_thread()));
    }
    uint64_t ended = stats_of(&l).lives_ended;
    at("join.cas-won", take_the_rest);
    CHECK(labyrinth_alloc_pages(&l, NOWAIT, 3) == 0);
    CHECK(stats_of(&l).lives_ended == ended && stats_of(&l).claimed == 7 && stats_of(&l).mine == 0);
    CHECK_OK(labyrinth_validate(&l));
    for (int i = 0; i < 8; i++) {
        CHECK(runs[i] == 0 || labyrinth_free(&other, runs[i]) == LABYRINTH_OK);
    }
    CHECK_OK(labyrinth_detach(&other));
    close_all();
}

static uint64_t raced;

static void accept_first(void)
{
    CHECK(labyrinth_accept(&other, raced) == raced);
}

static void free_first(void)
{
    CHECK_OK(labyrinth_free(&other, raced));
}

static void hand_off_first(void)
{
    CHECK(labyrinth_hand_off(&other, raced) == handle_next_generation(raced));
}

/* Both have seen the run as it was. The second one is refused. */
static void of_two_changes_of_one_generation_the_second_is_refused(void)
{
    new_labyrinth(&l, 8, 0, &fd);
    CHECK_OK(labyrinth_attach_fd(&other, fd, LABYRINTH_LOCK_NONE));
    raced = labyrinth_hand_off(&l, labyrinth_alloc_page(&l, NOWAIT));
    at("accept.seen", accept_first);
    CHECK_NOTHING(LABYRINTH_STALE, labyrinth_accept(&l, raced));
    CHECK(stats_of(&other).mine == 1);
    at("free.seen", free_first);
    CHECK_REFUSED(LABYRINTH_STALE, labyrinth_free(&l, raced));
    raced = labyrinth_alloc_page(&l, NOWAIT);
    at("hand-over.seen", free_first);
    CHECK_NOTHING(LABYRINTH_STALE, labyrinth_hand_off(&l, raced));
    raced = labyrinth_alloc_page(&l, NOWAIT);
    at("free.seen", hand_off_first);
    CHECK_REFUSED(LABYRINTH_STALE, labyrinth_free(&l, raced));
    CHECK(labyrinth_accept(&l, handle_next_generation(raced)) != 0);
    CHECK_OK(labyrinth_free(&l, handle_next_generation(raced)));
    CHECK_OK(labyrinth_detach(&other));
    close_all();
}

static char path[64];

static void attach_in_vain(void)
{
    CHECK_REFUSED(LABYRINTH_NOT_A_LABYRINTH, labyrinth_attach(&other, path, LABYRINTH_LOCK_NONE));
}

static void a_labyrinth_is_none_until_it_is_finished(void)
{
    snprintf(path, sizeof path, "/dev/shm/labyrinth-steps-%d", (int) getpid());
    at("create.sealed", attach_in_vain);
    CHECK_OK(labyrinth_create(&l, path, "steps", 8, 0, LABYRINTH_LOCK_NONE));
    fd = -1;
    unlink(path);
    close_all();
}

int main(void)
{
    static const struct test tests[] = {
        TEST(a_second_sweep_through_one_attachment_does_nothing),
        TEST(a_slot_that_is_being_swept_is_given_to_nobody),
        TEST(a_free_while_a_group_is_cleared_is_not_hidden),
        TEST(a_join_that_loses_a_frame_is_taken_back_without_a_trace),
        TEST(of_two_changes_of_one_generation_the_second_is_refused),
        TEST(a_labyrinth_is_none_until_it_is_finished),
    };
    return RUN_TESTS("steps", tests);
}
