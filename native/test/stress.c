/* SPDX-License-Identifier: Apache-2.0
 *
 * stress [ROUNDS]: threads of one process allocate, hand over and free runs of mixed orders at the same time. Each
 * reads back what it wrote. It is meant for ThreadSanitizer as well: the frames are written without atomics, so the
 * sanitizer sees whether one owner's writes happen before those of the next owner.
 */
#define _GNU_SOURCE
#include "check.h"
#include <pthread.h>

#define THREADS 8
#define PLACES 16
#define HELD 24
#define ORDERS 5

static struct labyrinth l;
static long rounds = 20000;
static pthread_barrier_t start;

/* The places where threads leave tickets, and runs that anybody may free, for other threads. */
static _Atomic uint64_t tickets[PLACES];
static _Atomic uint64_t handles[PLACES];
static uint8_t orders[2][1 << 10]; /* by pfn; written before the handle is left, read after it is taken */

static uint64_t exchange(_Atomic uint64_t *place, uint64_t handle)
{
    return atomic_exchange_explicit(place, handle, memory_order_acq_rel);
}

struct held {
    uint64_t handle;
    unsigned order;
    bool exclusive;
};

static void release(struct held run)
{
    CHECK(is_stamped(&l, run.handle, run.order, 0));
    CHECK_OK(labyrinth_free(&l, run.handle));
}

static void take_ticket(uint64_t ticket)
{
    if (ticket != 0) {
        unsigned order = orders[0][handle_pfn(ticket)];
        CHECK(labyrinth_accept(&l, ticket) == ticket);
        CHECK(labyrinth_order(&l, ticket) == (int) order);
        release((struct held){ticket, order, true});
        CHECK_REFUSED(LABYRINTH_STALE, labyrinth_free(&l, ticket));
    }
}

static void free_anothers(uint64_t handle)
{
    if (handle != 0) {
        release((struct held){handle, orders[1][handle_pfn(handle)], false});
    }
}

static void pass_on(struct held run, uint64_t place)
{
    CHECK(is_stamped(&l, run.handle, run.order, 0));
    if (run.exclusive) {
        stamp(&l, handle_next_generation(run.handle), run.order, 0);
        orders[0][handle_pfn(run.handle)] = (uint8_t) run.order;
        uint64_t ticket = labyrinth_hand_off(&l, run.handle);
        CHECK(ticket == handle_next_generation(run.handle));
        take_ticket(exchange(&tickets[place], ticket));
    } else {
        orders[1][handle_pfn(run.handle)] = (uint8_t) run.order;
        free_anothers(exchange(&handles[place], run.handle));
    }
}

static void *work(void *number)
{
    uint64_t seed = (uint64_t) (uintptr_t) number * 0x9E3779B97F4A7C15ULL + 1;
    struct held held[HELD];
    unsigned count = 0;
    pthread_barrier_wait(&start);
    for (long round = 0; round < rounds; round++) {
        uint64_t dice = next_random(&seed);
        unsigned order = (unsigned) (dice >> 8) % ORDERS;
        bool exclusive = (dice >> 16 & 1) != 0;
        uint32_t gfp = (dice >> 17 & 1) != 0 ? LABYRINTH_GFP_ATOMIC : NOWAIT;
        if (count < HELD && (dice >> 20) % 8 < 5) {
            uint64_t handle = labyrinth_alloc_pages(&l, gfp | (exclusive ? EXCLUSIVE : 0), order);
            if (handle != 0) {
                CHECK((handle_pfn(handle) & ((1U << order) - 1)) == 0);
                stamp(&l, handle, order, 0);
                held[count++] = (struct held){handle, order, exclusive};
            } else {
                CHECK_OK(labyrinth_last_error());
            }
        } else if (count > 0) {
            unsigned i = (unsigned) (dice >> 24) % count;
            struct held run = held[i];
            held[i] = held[--count];
            if ((dice >> 40 & 3) == 0) {
                pass_on(run, (dice >> 44) % PLACES);
            } else {
                release(run);
            }
        }
        if (dice >> 50 == 0) {
            labyrinth_sweep(&l);
        }
    }
    while (count > 0) {
        release(held[--count]);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int fd;
    pthread_t threads[THREADS];
    rounds = argc > 1 ? atol(argv[1]) : rounds;
    new_labyrinth(&l, 600, 40, &fd);
    pthread_barrier_init(&start, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, work, (void *) (i + 1)) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < PLACES; i++) {
        take_ticket(exchange(&tickets[i], 0));
        free_anothers(exchange(&handles[i], 0));
    }
    CHECK_OK(labyrinth_validate(&l));
    struct labyrinth_stats stats = stats_of(&l);
    CHECK(stats.free == 560 && stats.reserve_free == 40 && stats.claimed == 0 && stats.in_transit == 0);
    CHECK_OK(labyrinth_detach(&l));
    printf("stress: %d threads, %ld rounds each, %llu generations: all stamps as written\n", THREADS, rounds,
           (unsigned long long) stats.lives_ended);
    return 0;
}
