/* SPDX-License-Identifier: Apache-2.0
 *
 * check.h: what all tests of the C side use. A check that fails prints the place, the condition, and the library's last
 * refusal.
 */
#ifndef LABYRINTH_CHECK_H
#define LABYRINTH_CHECK_H

#include "../page_map.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            char said[512];                                                                                            \
            fprintf(stderr, "%s:%d: %s: does not hold: %s; last refusal: %s: %s\n", __FILE__, __LINE__, __func__,      \
                    #condition, labyrinth_error_name(labyrinth_last_error()),                                          \
                    labyrinth_explain(said, sizeof said));                                                             \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#define CHECK_OK(call) CHECK((call) == LABYRINTH_OK)
/* The call returns the error, which is also the thread's last error. */
#define CHECK_REFUSED(error, call) CHECK((call) == (error) && labyrinth_last_error() == (error))
/* The call returns 0 or NULL, and the error is the thread's last error. */
#define CHECK_NOTHING(error, call) CHECK((call) == 0 && labyrinth_last_error() == (error))

#define NOWAIT LABYRINTH_GFP_NOWAIT
#define EXCLUSIVE LABYRINTH_GFP_EXCLUSIVE

static inline void new_labyrinth(struct labyrinth *l, uint64_t frames, uint64_t reserve, int *fd)
{
    CHECK_OK(labyrinth_create_memfd(l, "test", frames, reserve, LABYRINTH_LOCK_PREFERRED, fd));
}

static inline struct labyrinth_stats stats_of(struct labyrinth *l)
{
    struct labyrinth_stats stats;
    CHECK_OK(labyrinth_count(l, &stats));
    return stats;
}

/* The memory of a live run, without a check of the owner. */
static inline uint64_t *memory_of(const struct labyrinth *l, uint64_t handle)
{
    return (uint64_t *) (l->memory + (uint64_t) handle_pfn(handle) * l->page_size);
}

/* Marks each frame of a run, at both ends, with its generation. is_stamped tells whether nobody has written there
 * since.
 */
static inline void stamp(const struct labyrinth *l, uint64_t handle, unsigned order, uint64_t salt)
{
    uint64_t longs = l->page_size / sizeof(uint64_t);
    for (uint64_t frame = 0; frame < 1ULL << order; frame++) {
        memory_of(l, handle)[frame * longs] = (handle ^ salt) + frame;
        memory_of(l, handle)[(frame + 1) * longs - 1] = (handle ^ salt) - frame;
    }
}

static inline bool is_stamped(const struct labyrinth *l, uint64_t handle, unsigned order, uint64_t salt)
{
    uint64_t longs = l->page_size / sizeof(uint64_t);
    for (uint64_t frame = 0; frame < 1ULL << order; frame++) {
        if (memory_of(l, handle)[frame * longs] != (handle ^ salt) + frame
            || memory_of(l, handle)[(frame + 1) * longs - 1] != (handle ^ salt) - frame) {
            return false;
        }
    }
    return true;
}

/* xorshift64*: the same sequence for the same seed. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1DULL;
}

/* Runs one test after the other. If a check fails, the name of the test is on standard error. */
struct test {
    const char *name;
    void (*run)(void);
};
#define TEST(function) {#function, function}

static inline int run_tests(const char *suite, const struct test *tests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        tests[i].run();
    }
    printf("%s: %zu tests hold\n", suite, count);
    return 0;
}
#define RUN_TESTS(suite, tests) run_tests(suite, tests, sizeof(tests) / sizeof *(tests))

#endif
