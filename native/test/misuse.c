/* SPDX-License-Identifier: Apache-2.0
 *
 * misuse: every wrong call is refused with the error that says why. It changes nothing.
 */
#define _GNU_SOURCE
#include "check.h"
#include <pthread.h>
#include <unistd.h>

static struct labyrinth l;
static struct labyrinth other; /* another tenant of the same labyrinth */

static void open_both(void)
{
    int fd;
    new_labyrinth(&l, 64, 8, &fd);
    CHECK_OK(labyrinth_attach_fd(&other, fd, LABYRINTH_LOCK_NONE));
    close(fd);
}

static void close_both(void)
{
    CHECK_OK(labyrinth_validate(&l));
    CHECK(stats_of(&l).claimed == 0 && stats_of(&l).in_transit == 0);
    CHECK_OK(labyrinth_detach(&other));
    CHECK_OK(labyrinth_detach(&l));
}

/* Every use of a handle is refused in the same way. */
static void check_refused(struct labyrinth *by, enum labyrinth_error error, uint64_t handle)
{
    uint64_t word = handle_pfn(handle) < l.frames ? lv(&l.pages[handle_pfn(handle)].word) : 0;
    CHECK_REFUSED(error, labyrinth_free(by, handle));
    CHECK_NOTHING(error, labyrinth_hand_off(by, handle));
    CHECK_NOTHING(error, labyrinth_address(by, handle));
    CHECK_NOTHING(error, labyrinth_byte_size(by, handle));
    CHECK(labyrinth_order(by, handle) == -1 && labyrinth_last_error() == error);
    CHECK(word == 0 || lv(&l.pages[handle_pfn(handle)].word) == word);
}

static void a_handle_is_stale_after_its_generation(void)
{
    open_both();
    for (uint32_t gfp = NOWAIT; gfp <= EXCLUSIVE; gfp += EXCLUSIVE) {
        uint64_t run = labyrinth_alloc_pages(&l, gfp, 1);
        CHECK_OK(labyrinth_free(&l, run));
        check_refused(&l, LABYRINTH_STALE, run);
        uint64_t again = labyrinth_alloc_pages(&l, gfp, 1);
        CHECK(handle_pfn(again) == handle_pfn(run));
        check_refused(&l, LABYRINTH_STALE, run);
        uint64_t ticket = labyrinth_hand_off(&l, again);
        check_refused(&l, LABYRINTH_STALE, again);
        check_refused(&l, LABYRINTH_STALE, ticket); /* a ticket is no handle before it is accepted */
        CHECK(labyrinth_accept(&other, ticket) == ticket);
        CHECK_NOTHING(LABYRINTH_STALE, labyrinth_accept(&l, ticket));
        CHECK_NOTHING(LABYRINTH_STALE, labyrinth_accept(&other, ticket));
        CHECK_OK(labyrinth_free(&other, ticket));
        check_refused(&l, LABYRINTH_STALE, ticket);
    }
    check_refused(&l, LABYRINTH_STALE, 0);
    CHECK_NOTHING(LABYRINTH_STALE, labyrinth_accept(&l, 0));
    close_both();
}

static void a_handle_beyond_the_frames_is_foreign(void)
{
    open_both();
    uint64_t run = labyrinth_alloc_page(&l, NOWAIT);
    check_refused(&l, LABYRINTH_FOREIGN, word_handle(run, 64));
    check_refused(&l, LABYRINTH_FOREIGN, ~0ULL);
    CHECK_NOTHING(LABYRINTH_FOREIGN, labyrinth_accept(&l, ~0ULL));
    check_refused(&l, LABYRINTH_STALE, run ^ ONE_GENERATION << 7);
    CHECK_OK(labyrinth_free(&l, run));
    close_both();
}

static uint64_t exclusive_run;

static void *by_another_thread(void *nothing)
{
    check_refused(&l, LABYRINTH_NOT_OWNER, exclusive_run);
    return nothing;
}

static void an_exclusive_run_is_its_threads_alone(void)
{
    open_both();
    exclusive_run = labyrinth_alloc_pages(&l, EXCLUSIVE, 2);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, by_another_thread, NULL) == 0);
    pthread_join(thread, NULL);
    CHECK(labyrinth_order(&l, exclusive_run) == 2);
    CHECK_OK(labyrinth_free(&l, exclusive_run));
    close_both();
}

/* Two tenants have the same thread id in the owner word, as in two processes. The tenant tells them apart. */
static void an_exclusive_run_is_its_tenants_alone_whatever_the_thread_id(void)
{
    open_both();
    uint64_t run = labyrinth_alloc_page(&l, EXCLUSIVE);
    check_refused(&other, LABYRINTH_NOT_OWNER, run);
    uint64_t ticket = labyrinth_hand_off(&l, run);
    CHECK(labyrinth_accept(&other, ticket) == ticket);
    check_refused(&l, LABYRINTH_NOT_OWNER, ticket); /* the run has another owner and another tenant now */
    CHECK_OK(labyrinth_free(&other, ticket));
    close_both();
}

static void a_run_that_is_not_exclusive_is_freed_by_anybody_once(void)
{
    open_both();
    uint64_t run = labyrinth_alloc_pages(&l, NOWAIT, 1);
    CHECK(labyrinth_order(&other, run) == 1);
    CHECK_OK(labyrinth_free(&other, run));
    check_refused(&l, LABYRINTH_STALE, run);
    close_both();
}

static void a_frame_of_java_is_not_for_handles(void)
{
    open_both();
    uint64_t run = labyrinth_alloc_page(&l, EXCLUSIVE);
    uint64_t *word = &l.pages[handle_pfn(run)].word;
    so(word, lv(word) | FRAMED_BIT);
    CHECK_REFUSED(LABYRINTH_HELD_OTHERWISE, labyrinth_free(&l, run));
    CHECK_NOTHING(LABYRINTH_HELD_OTHERWISE, labyrinth_hand_off(&l, run));
    CHECK_REFUSED(LABYRINTH_NOT_OWNER, labyrinth_free(&other, run));
    CHECK_NOTHING(LABYRINTH_NOT_OWNER, labyrinth_hand_off(&other, run));
    so(word, word_in_transit(lv(word))); /* as the Frame's own hand-over leaves it: then no view of it is alive */
    uint64_t ticket = handle_next_generation(run);
    CHECK(labyrinth_accept(&other, ticket) == ticket);
    CHECK_OK(labyrinth_free(&other, ticket));
    close_both();
}

static void a_request_is_served_or_its_flags_contradict_each_other(void)
{
    open_both();
    for (uint32_t gfp = 0; gfp < 256; gfp++) {
        bool sprint = (gfp & 32) != 0, high = (gfp & 1) != 0, never = (gfp & 8) != 0;
        uint64_t run = labyrinth_alloc_page(&l, gfp);
        if (gfp > 63 || (sprint && !high) || (high && never)) {
            CHECK_NOTHING(LABYRINTH_INVALID_REQUEST, run);
        } else {
            CHECK_OK(labyrinth_free(&l, run));
        }
    }
    CHECK_NOTHING(LABYRINTH_INVALID_REQUEST, labyrinth_alloc_pages(&l, NOWAIT, LABYRINTH_MAX_ORDER + 1));
    CHECK_NOTHING(LABYRINTH_INVALID_REQUEST, labyrinth_alloc_pages(&l, NOWAIT, ~0U));
    CHECK_NOTHING(LABYRINTH_OK, labyrinth_alloc_pages(&l, NOWAIT, LABYRINTH_MAX_ORDER));
    close_both();
}

static void what_is_out_keeps_its_tenant_from_leaving(void)
{
    open_both();
    uint64_t run = labyrinth_alloc_pages(&l, NOWAIT, 1);
    CHECK_REFUSED(LABYRINTH_FRAMES_OUT, labyrinth_detach(&l));
    uint64_t ticket = labyrinth_hand_off(&l, run);
    CHECK_REFUSED(LABYRINTH_FRAMES_OUT, labyrinth_detach(&l));
    CHECK(labyrinth_accept(&other, ticket) == ticket);
    CHECK_REFUSED(LABYRINTH_FRAMES_OUT, labyrinth_detach(&other));
    CHECK_OK(labyrinth_free(&l, ticket));
    close_both();
}

static void everything_is_refused_after_a_detach(void)
{
    struct labyrinth_stats stats;
    open_both();
    uint64_t run = labyrinth_alloc_page(&other, NOWAIT);
    CHECK_OK(labyrinth_detach_now(&other));
    check_refused(&other, LABYRINTH_CLOSED, run);
    CHECK_NOTHING(LABYRINTH_CLOSED, labyrinth_accept(&other, run));
    CHECK_NOTHING(LABYRINTH_CLOSED, labyrinth_alloc_page(&other, NOWAIT));
    CHECK_NOTHING(LABYRINTH_CLOSED, labyrinth_alloc_page_gfp_atomic_exclusive(&other));
    CHECK_NOTHING(LABYRINTH_CLOSED, labyrinth_sweep(&other));
    CHECK_REFUSED(LABYRINTH_CLOSED, labyrinth_count(&other, &stats));
    CHECK_REFUSED(LABYRINTH_CLOSED, labyrinth_validate(&other));
    CHECK_REFUSED(LABYRINTH_CLOSED, labyrinth_detach(&other));
    CHECK_REFUSED(LABYRINTH_CLOSED, labyrinth_detach_now(&other));
    CHECK(labyrinth_sweep(&l) == 1);
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&l));
}

#define TAKERS 4
static pthread_barrier_t at_once;
static uint64_t wanted;
static _Atomic int accepted;
static _Atomic int freed;

static void *take_and_free(void *rounds)
{
    for (int i = 0; i < *(int *) rounds; i++) {
        pthread_barrier_wait(&at_once);
        uint64_t ticket = wanted;
        accepted += labyrinth_accept(i % 2 == 0 ? &l : &other, ticket) == ticket;
        pthread_barrier_wait(&at_once);
        freed += labyrinth_free(i % 2 == 0 ? &other : &l, ticket) == LABYRINTH_OK;
        pthread_barrier_wait(&at_once);
    }
    return NULL;
}

static void of_many_accepts_or_frees_at_once_one_succeeds(void)
{
    int rounds = 400;
    pthread_t threads[TAKERS];
    open_both();
    pthread_barrier_init(&at_once, NULL, TAKERS + 1);
    for (int i = 0; i < TAKERS; i++) {
        CHECK(pthread_create(&threads[i], NULL, take_and_free, &rounds) == 0);
    }
    for (int i = 0; i < rounds; i++) {
        wanted = labyrinth_hand_off(&l, labyrinth_alloc_page(&l, NOWAIT));
        accepted = 0;
        freed = 0;
        pthread_barrier_wait(&at_once);
        pthread_barrier_wait(&at_once);
        pthread_barrier_wait(&at_once);
        CHECK(accepted == 1 && freed == 1);
    }
    for (int i = 0; i < TAKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    close_both();
}

static void validate_names(const char *rule)
{
    char text[512];
    CHECK_REFUSED(LABYRINTH_VIOLATION, labyrinth_validate(&l));
    CHECK(strstr(labyrinth_explain(text, sizeof text), rule) != NULL);
}

static void validate_sees_every_kind_of_damage(void)
{
    open_both();
    static struct labyrinth_page saved[64];
    memcpy(saved, l.pages, sizeof saved);
    uint64_t free = word_first(5, LABYRINTH_FREE, 0);
    struct {
        uint32_t pfn;
        uint64_t word;
        const char *rule;
    } damage[] = {
        {0, 0, "must begin here"},
        {0, word_first(5, LABYRINTH_TAIL, 0), "must begin here"},
        {0, word_first(5, 9, 0), "must begin here"},
        {0, word_first(5, LABYRINTH_FREE, 15), "order 0 to 10"},
        {0, word_first(5, LABYRINTH_FREE, 7), "within the labyrinth"},
        {0, word_first(5, LABYRINTH_FREE, 6), "reach into the reserve"},
        {0, free | l.tenant, "no tenant"},
        {0, free | EXCLUSIVE_BIT, "no flags"},
        {0, word_claimed(free, l.tenant, 0), "owner of the same generation"},
        {0, word_claimed(free, 0, 0), "a tenant"},
        {0, word_claimed(free, 9ULL << LABYRINTH_TENANT_SHIFT, 0), "whose slot is taken"},
        {1, free, "must be TAIL"},
    };
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        so(&l.pages[damage[i].pfn].word, damage[i].word);
        validate_names(damage[i].rule);
        memcpy(l.pages, saved, sizeof saved);
        CHECK_OK(labyrinth_validate(&l));
    }
    so(&l.advice[0].maybe_free, 0);
    validate_names("hidden by its group's");
    so(&l.advice[0].maybe_free, 1);
    close_both();
}

static void every_error_has_a_name_and_a_sentence(void)
{
    for (int error = LABYRINTH_OK; error <= LABYRINTH_CLOSE_REFUSED; error++) {
        char text[512] = "";
        refuse((struct refusal){.error = (enum labyrinth_error) error, .verb = "free", .rule = "rule", .name = "name"});
        CHECK(strlen(labyrinth_explain(text, sizeof text)) > 15);
        CHECK(strcmp(labyrinth_error_name((enum labyrinth_error) error), "UNKNOWN") != 0);
    }
    CHECK(strcmp(labyrinth_error_name((enum labyrinth_error) (LABYRINTH_CLOSE_REFUSED + 1)), "UNKNOWN") == 0);
    char small[8];
    CHECK(strlen(labyrinth_explain(small, sizeof small)) == 7);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(a_handle_is_stale_after_its_generation),
        TEST(a_handle_beyond_the_frames_is_foreign),
        TEST(an_exclusive_run_is_its_threads_alone),
        TEST(an_exclusive_run_is_its_tenants_alone_whatever_the_thread_id),
        TEST(a_run_that_is_not_exclusive_is_freed_by_anybody_once),
        TEST(a_frame_of_java_is_not_for_handles),
        TEST(a_request_is_served_or_its_flags_contradict_each_other),
        TEST(what_is_out_keeps_its_tenant_from_leaving),
        TEST(everything_is_refused_after_a_detach),
        TEST(of_many_accepts_or_frees_at_once_one_succeeds),
        TEST(validate_sees_every_kind_of_damage),
        TEST(every_error_has_a_name_and_a_sentence),
    };
    return RUN_TESTS("misuse", tests);
}
