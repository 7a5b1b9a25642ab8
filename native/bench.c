/* SPDX-License-Identifier: Apache-2.0
 *
 * bench: what a frame costs in C, beside the lower bound: a CAS and a release store on the same memory. And whether two
 * processes are as fast as two threads of one process. All are measured in each of ROUNDS rounds, and the best counts.
 */
#define _GNU_SOURCE
#include "internal.h"
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* LLFree's get and put in C, measured on a machine like the one that Labyrinth was built on. */
#define LLFREE_NS 88.0
#define ROUNDS 25
#define FRAMES 16384
#define PAIRS 500000L

static struct labyrinth labyrinth;
static int fd;
static uint64_t bare_word = LABYRINTH_FREE;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

static void fail(const char *what)
{
    char text[512];
    fprintf(stderr, "bench: %s: %s\n", what, labyrinth_explain(text, sizeof text));
    exit(1);
}

static void exclusive_pairs(struct labyrinth *l)
{
    for (long i = 0; i < PAIRS; i++) {
        if (labyrinth_free(l, labyrinth_alloc_page_gfp_atomic_exclusive(l)) != LABYRINTH_OK) {
            fail("pair");
        }
    }
}

static inline uint64_t bare_claim(uint64_t *word)
{
    uint64_t free = lv(word);
    if (!cas(word, free, free + 1)) {
        fail("bare CAS");
    }
    return free;
}

static inline void bare_release(uint64_t *word, uint64_t free)
{
    so(word, free + ONE_GENERATION);
}

static void bare_pairs(struct labyrinth *l)
{
    (void) l;
    for (long i = 0; i < PAIRS; i++) {
        bare_release(&bare_word, bare_claim(&bare_word));
    }
}

/* Functions that the compiler cannot see through, as the library's two are. */
static __attribute__((noinline)) uint64_t call_bare_claim(uint64_t *word)
{
    return bare_claim(word);
}

static __attribute__((noinline)) void call_bare_release(uint64_t *word, uint64_t free)
{
    bare_release(word, free);
}

static void bare_calls(struct labyrinth *l)
{
    (void) l;
    for (long i = 0; i < PAIRS; i++) {
        call_bare_release(&bare_word, call_bare_claim(&bare_word));
    }
}

static void shared_pairs(struct labyrinth *l)
{
    for (long i = 0; i < PAIRS; i++) {
        if (labyrinth_free(l, labyrinth_alloc_page(l, LABYRINTH_GFP_NOWAIT)) != LABYRINTH_OK) {
            fail("pair");
        }
    }
}

static void hand_overs(struct labyrinth *l)
{
    uint64_t frame = labyrinth_alloc_page_gfp_atomic_exclusive(l);
    for (long i = 0; i < PAIRS; i++) {
        frame = labyrinth_accept(l, labyrinth_hand_off(l, frame));
    }
    if (labyrinth_free(l, frame) != LABYRINTH_OK) {
        fail("hand-over");
    }
}

static double ns_each(void (*pairs)(struct labyrinth *))
{
    double start = now();
    pairs(&labyrinth);
    return (now() - start) / PAIRS;
}

/* The best of all rounds: on a machine that others use as well, it is the round that they disturbed least. */
static double least_of(const double *figures)
{
    double least = figures[0];
    for (int i = 1; i < ROUNDS; i++) {
        least = figures[i] < least ? figures[i] : least;
    }
    return least;
}

static double most_of(const double *figures)
{
    double most = figures[0];
    for (int i = 1; i < ROUNDS; i++) {
        most = figures[i] > most ? figures[i] : most;
    }
    return most;
}

/* Two workers, in memory that two processes can share. Each measures its own time: a thread that waits for them wakes
 * up late.
 */
struct pair_of_workers {
    pthread_barrier_t barrier;
    double starts[2];
    double ends[2];
};

static struct pair_of_workers *workers;

/* Each worker has a processor of its own. Otherwise they would at times take turns on one. */
static void pin(int i)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof all, &all) == 0) {
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
            if (CPU_ISSET(cpu, &all) && i-- == 0) {
                CPU_SET(cpu, &one);
                sched_setaffinity(0, sizeof one, &one);
                return;
            }
        }
    }
}

static void work(struct labyrinth *l, int i)
{
    pin(i);
    pthread_barrier_wait(&workers->barrier);
    workers->starts[i] = now();
    exclusive_pairs(l);
    workers->ends[i] = now();
}

/* Pairs in a microsecond, of both workers together, from the first start to the last end. */
static double throughput(void)
{
    const double *start = workers->starts;
    const double *end = workers->ends;
    return 2e3 * PAIRS / ((end[0] > end[1] ? end[0] : end[1]) - (start[0] < start[1] ? start[0] : start[1]));
}

static void *run_thread(void *i)
{
    work(&labyrinth, (int) (intptr_t) i);
    return NULL;
}

static double two_threads(void)
{
    pthread_t threads[2];
    for (intptr_t i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, run_thread, (void *) i);
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    return throughput();
}

/* Each process has an attachment of its own. */
static double two_processes(void)
{
    for (int i = 0; i < 2; i++) {
        if (fork() == 0) {
            struct labyrinth mine;
            if (labyrinth_attach_fd(&mine, fd, LABYRINTH_LOCK_NONE) != LABYRINTH_OK) {
                fail("attach");
            }
            work(&mine, i);
            _exit(labyrinth_detach(&mine) == LABYRINTH_OK ? 0 : 1);
        }
    }
    for (int i = 0; i < 2; i++) {
        int status;
        if (wait(&status) < 0 || status != 0) {
            fail("a process");
        }
    }
    return throughput();
}

static void prepare_workers(void)
{
    pthread_barrierattr_t shared;
    workers = mmap(NULL, sizeof *workers, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_barrierattr_init(&shared);
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    if (workers == MAP_FAILED || pthread_barrier_init(&workers->barrier, &shared, 2) != 0) {
        fail("workers");
    }
}

/* bench: everything. bench pair: the pair alone, with a library that is called and not compiled into this program. */
int main(int argc, char **argv)
{
    bool alone = argc > 1 && strcmp(argv[1], "pair") == 0;
    if (labyrinth_create_memfd(&labyrinth, "bench", FRAMES, 64, LABYRINTH_LOCK_PREFERRED, &fd) != LABYRINTH_OK) {
        fail("create");
    }
    prepare_workers();
    double bare[ROUNDS], calls[ROUNDS], pair[ROUNDS], shared[ROUNDS], hand_over[ROUNDS];
    double threads[ROUNDS], processes[ROUNDS];
    for (int round = -1; round < ROUNDS; round++) {
        int at = round < 0 ? 0 : round; /* the first round warms up */
        bare[at] = ns_each(bare_pairs);
        calls[at] = ns_each(bare_calls);
        pair[at] = ns_each(exclusive_pairs);
        if (alone) {
            continue;
        }
        shared[at] = ns_each(shared_pairs);
        hand_over[at] = ns_each(hand_overs);
        threads[at] = two_threads();
        processes[at] = two_processes();
    }
    if (labyrinth_validate(&labyrinth) != LABYRINTH_OK) {
        fail("validate");
    }
    double least = least_of(bare);
    double by_calls = least_of(calls);
    double cost = least_of(pair);
    if (alone) {
        printf("the same by liblabyrinth.a     %6.1f ns  %.2f of the bare, %.2f of the bare in functions\n", cost,
               cost / least, cost / by_calls);
        return 0;
    }
    double of_threads = most_of(threads);
    double of_processes = most_of(processes);
    printf("bare CAS + release store       %6.1f ns\n", least);
    printf("the same in two functions      %6.1f ns\n", by_calls);
    printf("alloc + free, EXCLUSIVE, -flto %6.1f ns  %.2f of the bare (goal: 2.00 at most); 1/%.1f of LLFree's %.0f ns"
           " (goal: 1/5)\n",
           cost, cost / least, LLFREE_NS / cost, LLFREE_NS);
    printf("alloc + free, by anybody       %6.1f ns\n", least_of(shared));
    printf("hand-over + accept             %6.1f ns\n", least_of(hand_over));
    printf("two threads of one process     %6.1f pairs/us\n", of_threads);
    printf("two processes                  %6.1f pairs/us  %.2f of the threads (goal: 0.90 at least)\n", of_processes,
           of_processes / of_threads);
    return 0;
}
