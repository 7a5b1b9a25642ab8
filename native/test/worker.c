/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.c: a process that does everything that a tenant can do, in a loop, until it is killed. It passes every named
 * step of the library. On the way it checks that nobody has written to what it holds.
 *
 * Between its rounds it keeps runs, and writes on the board how many frames they are. After SIGUSR1 it stops itself
 * between two rounds. After SIGTERM it frees all its runs, detaches, and exits with 0.
 */
#define _GNU_SOURCE
#include "worker.h"
#include "crash_points.h"
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

#define KEPT 12
#define MOST_RUNS 1024

static struct labyrinth main_one;
static struct labyrinth other_one; /* a second tenant of this process, which attaches and detaches often */
static int labyrinth_fd;
static struct board *board;
static uint64_t salt;
static uint64_t seed;

static struct run {
    uint64_t handle;
    unsigned order;
} runs[MOST_RUNS];
static unsigned count;

static volatile sig_atomic_t pause_wanted;
static volatile sig_atomic_t end_wanted;

static void on_signal(int number)
{
    *(number == SIGUSR1 ? &pause_wanted : &end_wanted) = 1;
}

static uint64_t pick(uint64_t below)
{
    return next_random(&seed) % below;
}

/* ------------------------------------------------------------------------------------------------ runs */

static bool take(struct labyrinth *l, uint32_t gfp, unsigned order)
{
    uint64_t handle = count < MOST_RUNS ? labyrinth_alloc_pages(l, gfp, order) : 0;
    if (handle == 0) {
        return false;
    }
    CHECK(labyrinth_order(l, handle) == (int) order);
    stamp(l, handle, order, salt);
    runs[count++] = (struct run){handle, order};
    return true;
}

static struct run forget(unsigned index)
{
    struct run run = runs[index];
    runs[index] = runs[--count];
    return run;
}

static void give_back(unsigned index)
{
    struct run run = forget(index);
    CHECK(is_stamped(&main_one, run.handle, run.order, salt));
    CHECK_OK(labyrinth_free(&main_one, run.handle));
}

static uint32_t any_gfp(void)
{
    static const uint32_t all[] = {NOWAIT, EXCLUSIVE, LABYRINTH_GFP_ATOMIC, LABYRINTH_GFP_ATOMIC_EXCLUSIVE,
                                   EXCLUSIVE | LABYRINTH_GFP_ZERO, LABYRINTH_GFP_HIGH};
    return all[pick(sizeof all / sizeof *all)];
}

/* ------------------------------------------------------------------------------------------------ parts of a round */

static void come_and_go(void)
{
    for (unsigned i = 0; i < 10; i++) {
        take(&main_one, any_gfp(), (unsigned) pick(4));
        if (count > KEPT) {
            give_back((unsigned) pick(count));
        }
    }
}

/* By a ticket to itself: the same run in the next generation. */
static void hand_over(void)
{
    if (count == 0) {
        return;
    }
    struct run run = forget((unsigned) pick(count));
    CHECK(is_stamped(&main_one, run.handle, run.order, salt));
    uint64_t ticket = labyrinth_hand_off(&main_one, run.handle);
    CHECK(ticket != 0 && labyrinth_accept(&main_one, ticket) == ticket);
    CHECK(is_stamped(&main_one, run.handle, run.order, salt));
    stamp(&main_one, ticket, run.order, salt);
    runs[count++] = (struct run){ticket, run.order};
}

static bool disturb;

/* What another thread may do at this moment: it claims all that is free, so that the join must roll back. */
static void disturb_join(const char *name)
{
    if (disturb && strcmp(name, "join.cas-won") == 0) {
        disturb = false;
        for (uint32_t pfn = 0; pfn < other_one.frames;) {
            uint64_t word = lv(&other_one.pages[pfn].word);
            uint64_t handle = word_is_free(word) ? map_claim_seen(&other_one, pfn, word, 0, 0, current_thread()) : 0;
            if (handle != 0 && count < MOST_RUNS) {
                stamp(&main_one, handle, 0, salt);
                runs[count++] = (struct run){handle, 0};
            }
            pfn++;
        }
    }
    crash_by_environment(name);
}

/* Takes everything, frame by frame if the labyrinth is small enough for that, so that no large run is left whole. Then
 * it wants a larger run.
 */
static void crumble(void)
{
    unsigned before = count;
    CHECK_OK(labyrinth_attach_fd(&other_one, labyrinth_fd, LABYRINTH_LOCK_NONE));
    for (int order = main_one.spans > 0 ? LABYRINTH_MAX_ORDER : 0; order >= 0; order--) {
        while (take(&main_one, NOWAIT, (unsigned) order)) {
        }
    }
    while (count > before) {
        give_back(count - 1);
    }
    take(&main_one, NOWAIT, 3);
    disturb = pick(2) == 0;
    labyrinth_step = disturb_join;
    take(&main_one, NOWAIT, 3);
    take(&main_one, NOWAIT, 4);
    labyrinth_step = crash_by_environment;
    disturb = false;
    while (count > before) {
        give_back(count - 1);
    }
    CHECK_OK(labyrinth_detach_now(&other_one));
}

static jmp_buf half_way;
static const char *abandon_at;

static void abandon(const char *name)
{
    crash_by_environment(name);
    if (strcmp(name, abandon_at) == 0) {
        longjmp(half_way, 1);
    }
}

/* The second tenant dies with a claim, with a ticket, and halfway through a split or a join. A sweep takes these back.
 */
static void die_in_part(void)
{
    static const char *const steps[] = {"split.upper-head", "split.resized", "join.cas-won", "join.resized"};
    CHECK_OK(labyrinth_attach_fd(&other_one, labyrinth_fd, LABYRINTH_LOCK_NONE));
    labyrinth_hand_off(&other_one, labyrinth_alloc_page(&other_one, EXCLUSIVE));
    labyrinth_alloc_pages(&other_one, NOWAIT, (unsigned) pick(3));
    abandon_at = steps[pick(4)];
    labyrinth_step = abandon;
    if (setjmp(half_way) == 0) {
        labyrinth_alloc_pages(&other_one, NOWAIT, 0);
        labyrinth_alloc_pages(&other_one, NOWAIT, 3);
    }
    labyrinth_step = crash_by_environment;
    CHECK_OK(labyrinth_detach_now(&other_one));
    if (pick(2) == 0) {
        labyrinth_sweep(&main_one);
    } else {
        CHECK_OK(labyrinth_attach_fd(&other_one, labyrinth_fd, LABYRINTH_LOCK_NONE));
        labyrinth_detach(&other_one);
    }
}

static void create_and_leave(void)
{
    struct labyrinth small;
    int fd;
    CHECK_OK(labyrinth_create_memfd(&small, "small", 4, 1, LABYRINTH_LOCK_NONE, &fd));
    CHECK_OK(labyrinth_detach(&small));
    close(fd);
}

/* ------------------------------------------------------------------------------------------------ main */

static void rest(void)
{
    uint64_t frames = 0;
    for (unsigned i = 0; i < count; i++) {
        CHECK(is_stamped(&main_one, runs[i].handle, runs[i].order, salt));
        frames += 1ULL << runs[i].order;
    }
    so(&board->frames, frames);
    if (pause_wanted) {
        pause_wanted = 0;
        raise(SIGSTOP);
    }
}

int work(int fd, struct board *shared, uint64_t with_seed, long rounds)
{
    board = shared;
    labyrinth_fd = fd;
    seed = with_seed * 0x9E3779B97F4A7C15ULL | 1;
    salt = (uint64_t) getpid() << 40;
    signal(SIGUSR1, on_signal);
    signal(SIGTERM, on_signal);
    CHECK_OK(labyrinth_attach_fd(&main_one, fd, LABYRINTH_LOCK_NONE));
    so(&board->slot, main_one.slot);
    for (long round = 0; round < rounds && !end_wanted; round++) {
        come_and_go();
        hand_over();
        if (pick(4) == 0) {
            crumble();
        }
        if (pick(4) == 0) {
            die_in_part();
        }
        if (pick(8) == 0) {
            create_and_leave();
        }
        rest();
    }
    while (count > 0) {
        give_back(count - 1);
    }
    labyrinth_sweep(&main_one);
    CHECK_OK(labyrinth_detach(&main_one));
    return end_wanted ? 0 : WORKER_OUT_OF_ROUNDS;
}
