/* SPDX-License-Identifier: Apache-2.0
 *
 * killed: processes die, and nothing is lost. The keeper, this process, holds frames and a ticket. A bystander works
 * all the time. Workers are killed beside them, at random moments or at a named step. After each death the keeper
 * sweeps. Then:
 *
 *   no frame is lost       claimed and in transit are exactly what the keeper and the bystander hold
 *   none is owned twice    every run reads as its holder stamped it
 *   no live one is taken   all handles and the ticket are still good
 *   all invariants hold    labyrinth_validate
 *
 *     killed random N | steps N | paused
 */
#define _GNU_SOURCE
#include "crash_points.h"
#include "worker.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Small, so that the processes meet in it. For the steps of spans, just large enough to have spans. */
#define FRAMES 320
#define FRAMES_WITH_SPANS (((LABYRINTH_MAX_SPANS + 8) << LABYRINTH_GROUP_ORDER) + 17)
#define RESERVE 24
#define KEPT 9
#define SALT 0x5A5AULL
#define MOST_ROUNDS 400L
#define PATIENCE_SECONDS 1800 /* after this a test that hangs fails by itself */

struct place {
    struct labyrinth l;
    int fd;
    int board_fd;
    struct board *boards; /* [0] of the bystander, [1] of the worker to be killed */
    pid_t bystander;
    uint64_t kept[KEPT];
    uint64_t ticket;
};

static unsigned order_of(unsigned i)
{
    return i % 4;
}

/* ------------------------------------------------------------------------------------------------ processes */

static pid_t start(struct place *place, int board, uint64_t seed, const char *crash)
{
    char numbers[4][32];
    snprintf(numbers[0], 32, "%d", place->fd);
    snprintf(numbers[1], 32, "%d", place->board_fd);
    snprintf(numbers[2], 32, "%d", board);
    snprintf(numbers[3], 32, "%llu", (unsigned long long) seed);
    place->boards[board] = (struct board){0, 0};
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* if a check of the keeper fails, no worker outlives it */
        if (crash != NULL) {
            setenv("LABYRINTH_CRASH", crash, 1);
        }
        execl("/proc/self/exe", "killed", "worker", numbers[0], numbers[1], numbers[2], numbers[3], (char *) NULL);
        _exit(127);
    }
    return pid;
}

static int end_of(pid_t pid, int options)
{
    int status;
    CHECK(waitpid(pid, &status, options) == pid);
    return status;
}

static void pause_bystander(struct place *place)
{
    kill(place->bystander, SIGUSR1);
    int status = end_of(place->bystander, WUNTRACED);
    CHECK(WIFSTOPPED(status));
}

/* ------------------------------------------------------------------------------------------------ the keeper */

static struct place open_place(uint32_t frames)
{
    struct place place;
    new_labyrinth(&place.l, frames, RESERVE, &place.fd);
    CHECK(fcntl(place.fd, F_SETFD, 0) == 0); /* the workers inherit it */
    place.board_fd = memfd_create("board", 0);
    CHECK(place.board_fd >= 0 && ftruncate(place.board_fd, 4096) == 0);
    place.boards = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, place.board_fd, 0);
    CHECK(place.boards != MAP_FAILED);
    for (unsigned i = 0; i < KEPT; i++) {
        place.kept[i] = labyrinth_alloc_pages(&place.l, i % 2 == 0 ? EXCLUSIVE : NOWAIT, order_of(i));
        CHECK(place.kept[i] != 0);
        stamp(&place.l, place.kept[i], order_of(i), SALT);
    }
    place.ticket = labyrinth_hand_off(&place.l, labyrinth_alloc_page_gfp_atomic_exclusive(&place.l));
    CHECK(place.ticket != 0);
    stamp(&place.l, place.ticket, 0, SALT);
    place.bystander = start(&place, 0, 1, NULL);
    while (lv(&place.boards[0].slot) == 0) {
        usleep(100); /* until the bystander has attached: before that it cannot be paused */
    }
    return place;
}

static void check_kept(struct place *place)
{
    for (unsigned i = 0; i < KEPT; i++) {
        CHECK(labyrinth_order(&place->l, place->kept[i]) == (int) order_of(i));
        CHECK(is_stamped(&place->l, place->kept[i], order_of(i), SALT));
    }
    CHECK(is_stamped(&place->l, place->ticket, 0, SALT));
    CHECK(labyrinth_accept(&place->l, place->ticket) == place->ticket);
    place->ticket = labyrinth_hand_off(&place->l, place->ticket);
    CHECK(place->ticket != 0);
    stamp(&place->l, place->ticket, 0, SALT);
}

/* While the bystander rests, every frame has a known holder. */
static void check_nothing_lost(struct place *place)
{
    pause_bystander(place);
    labyrinth_sweep(&place->l);
    CHECK_OK(labyrinth_validate(&place->l));
    check_kept(place);
    struct labyrinth_stats stats = stats_of(&place->l);
    uint64_t kept = 1;
    for (unsigned i = 0; i < KEPT; i++) {
        kept += 1ULL << order_of(i);
    }
    if (stats.claimed + stats.in_transit != kept + lv(&place->boards[0].frames)) {
        fprintf(stderr, "killed: claimed=%llu in_transit=%llu, but the keeper holds %llu and the bystander %llu\n",
                (unsigned long long) stats.claimed, (unsigned long long) stats.in_transit, (unsigned long long) kept,
                (unsigned long long) lv(&place->boards[0].frames));
    }
    CHECK(stats.mine == kept);
    CHECK(stats.claimed + stats.in_transit == kept + lv(&place->boards[0].frames));
    CHECK(stats.free + stats.reserve_free + stats.claimed + stats.in_transit == stats.frames);
    CHECK(stats.tenants == 2);
    CHECK(labyrinth_sweep(&place->l) == 0);
    kill(place->bystander, SIGCONT);
}

/* The bystander leaves. Then all frames are free again and are found. */
static void close_place(struct place *place)
{
    kill(place->bystander, SIGTERM);
    CHECK(end_of(place->bystander, 0) == 0);
    check_kept(place);
    for (unsigned i = 0; i < KEPT; i++) {
        CHECK_OK(labyrinth_free(&place->l, place->kept[i]));
    }
    CHECK_OK(labyrinth_free(&place->l, labyrinth_accept(&place->l, place->ticket)));
    CHECK_OK(labyrinth_validate(&place->l));
    uint64_t got = 0;
    while (labyrinth_alloc_page(&place->l, LABYRINTH_GFP_HIGH) != 0) {
        got++;
    }
    CHECK(got == place->l.frames);
    CHECK_OK(labyrinth_detach_now(&place->l));
    munmap(place->boards, 4096);
    close(place->board_fd);
    close(place->fd);
}

/* ------------------------------------------------------------------------------------------------ deaths */

static void kill_at_random(long times)
{
    uint64_t seed = (uint64_t) time(NULL) << 20 | (uint64_t) getpid();
    printf("killed random: seed=%llu\n", (unsigned long long) seed);
    struct place place = open_place(FRAMES);
    for (long i = 0; i < times; i++) {
        pid_t worker = start(&place, 1, next_random(&seed), NULL);
        /* This kills some workers before they have attached, and most in the middle of their work. */
        usleep((useconds_t) (next_random(&seed) % 12000));
        kill(worker, SIGKILL);
        int status = end_of(worker, 0);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        check_nothing_lost(&place);
    }
    close_place(&place);
    printf("killed random: %ld processes, nothing lost\n", times);
}

static uint64_t out_by(struct place *place, uint64_t slot)
{
    uint64_t runs;
    return frames_out(&place->l, slot << LABYRINTH_TENANT_SHIFT, &runs);
}

/* A process that is frozen at a step stops no other process, and does not look dead. */
static void check_frozen(struct place *place)
{
    pause_bystander(place);
    uint64_t slot = lv(&place->boards[1].slot);
    uint64_t holds = slot == 0 ? 0 : out_by(place, slot);
    labyrinth_sweep(&place->l);
    CHECK(slot == 0 || (out_by(place, slot) == holds && lv(&place->l.tenants[slot].state) == LABYRINTH_TENANT));
    for (unsigned i = 0; i < KEPT; i++) {
        CHECK_OK(labyrinth_free(&place->l, place->kept[i]));
        place->kept[i] = labyrinth_alloc_pages(&place->l, i % 2 == 0 ? EXCLUSIVE : NOWAIT, order_of(i));
        CHECK(place->kept[i] != 0);
        stamp(&place->l, place->kept[i], order_of(i), SALT);
    }
    kill(place->bystander, SIGCONT);
}

static void die_at(struct place *place, const char *step, const char *how, uint64_t *seed)
{
    char crash[128];
    snprintf(crash, sizeof crash, "%s:%d:%s", step, (int) (next_random(seed) % 4) + 1, how);
    pid_t worker = start(place, 1, next_random(seed), crash);
    int status = end_of(worker, WUNTRACED);
    if (WIFSTOPPED(status)) {
        check_frozen(place);
        kill(worker, SIGKILL);
        status = end_of(worker, 0);
    }
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        fprintf(stderr, "killed: %s: the worker was not killed there, status=0x%x\n", crash, (unsigned) status);
    }
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    check_nothing_lost(place);
}

static void kill_at_steps(long times)
{
    uint64_t seed = (uint64_t) time(NULL) << 20 | (uint64_t) getpid();
    const char **steps = crash_points();
    struct place small = open_place(FRAMES);
    struct place large = open_place(FRAMES_WITH_SPANS);
    long count = 0;
    for (; steps[count] != NULL; count++) {
        struct place *place = strstr(steps[count], "span") == NULL ? &small : &large;
        for (long i = 0; i < times; i++) {
            die_at(place, steps[count], "kill", &seed);
        }
        die_at(place, steps[count], "stop", &seed);
    }
    close_place(&small);
    close_place(&large);
    printf("killed steps: %ld steps, %ld times each, and frozen at each: nothing lost\n", count, times);
    CHECK(count > 30);
}

/* A process that is paused at any moment is never swept, and goes on as if nothing had happened. */
static void pause_at_random(void)
{
    struct place place = open_place(FRAMES);
    for (int i = 0; i < 30; i++) {
        usleep(1000);
        kill(place.bystander, SIGSTOP);
        CHECK(WIFSTOPPED(end_of(place.bystander, WUNTRACED)));
        uint64_t slot = lv(&place.boards[0].slot);
        uint64_t holds = slot == 0 ? 0 : out_by(&place, slot);
        labyrinth_sweep(&place.l);
        CHECK(slot == 0 || out_by(&place, slot) == holds);
        kill(place.bystander, SIGCONT);
    }
    check_nothing_lost(&place);
    close_place(&place);
    printf("killed paused: 30 times, nothing taken\n");
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    alarm(PATIENCE_SECONDS);
    if (strcmp(what, "worker") == 0 && argc == 6) {
        struct board *boards = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[3]), 0);
        CHECK(boards != MAP_FAILED);
        int board = atoi(argv[4]);
        return work(atoi(argv[2]), &boards[board], strtoull(argv[5], NULL, 10), board == 0 ? LONG_MAX : MOST_ROUNDS);
    }
    if (strcmp(what, "random") == 0 && argc == 3) {
        kill_at_random(atol(argv[2]));
    } else if (strcmp(what, "steps") == 0 && argc == 3) {
        kill_at_steps(atol(argv[2]));
    } else if (strcmp(what, "paused") == 0) {
        pause_at_random();
    } else {
        fprintf(stderr, "usage: killed random N | steps N | paused\n");
        return 2;
    }
    return 0;
}
