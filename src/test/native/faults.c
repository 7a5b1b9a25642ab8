/* SPDX-License-Identifier: Apache-2.0
 *
 * faults.c: system calls that fail on demand while Labyrinth opens, joins or closes; for tests.
 *
 * A test loads it with System.load. Labyrinth then finds mmap and similar functions here, because a loader's own
 * libraries are looked up before libc. So Labyrinth's calls go through here. Nobody else's do, not even the JVM's.
 * Built with -DPRELOADED, it is preloaded into the JVM as well, which then finds open and pthread_create here. So the
 * calls that the JVM makes for one thread go through here too. The calls are counted, and the calls that a test has
 * chosen fail.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif

/* Kinds of calls. A test chooses by them, and learns of which kind the refused call was. */
enum kind { MMAP = 1, MUNMAP = 2, ADVISE = 4, POPULATE = 8, LOCK2_ON_FAULT = 16, LOCK2 = 32, LOCK = 64, UNLOCK = 128,
    OPEN = 256, THREAD = 512, SHARED = 1024, BYTE_LOCK = 1 << 16, FALLOCATE = 1 << 17, FIND = 1 << 18,
    MREMAP = 1 << 19 };

static atomic_int counted, first_refused, last_refused, kinds_refused, error_given, refused_kind;
static atomic_int asker;

/* From now on the calls first to last of these kinds fail with this error. Calls are counted from 1. */
void refuse(int first, int last, int kinds, int error)
{
    atomic_store(&first_refused, 0);
    atomic_store(&counted, 0);
    atomic_store(&refused_kind, 0);
    atomic_store(&last_refused, last);
    atomic_store(&kinds_refused, kinds);
    atomic_store(&error_given, error);
    atomic_store(&asker, gettid());
    atomic_store(&first_refused, first);
}

/* Ends this. Returns the kind of the last call that was refused; 0 if none was. */
int refused(void)
{
    atomic_store(&first_refused, 0);
    return atomic_load(&refused_kind);
}

/* The JVM also unmaps (by its cleaner), opens files and starts threads for reasons of its own. For these kinds only
 * calls by the thread that called refuse() count.
 */
static int is_refused(int kind)
{
    if ((kind & (MUNMAP | OPEN | THREAD)) != 0 && gettid() != atomic_load(&asker)) {
        return 0;
    }
    int first = atomic_load(&first_refused);
    if (first == 0 || (kind & atomic_load(&kinds_refused)) == 0) {
        return 0;
    }
    int number = atomic_fetch_add(&counted, 1) + 1;
    if (number < first || number > atomic_load(&last_refused)) {
        return 0;
    }
    atomic_store(&refused_kind, kind);
    errno = atomic_load(&error_given);
    return 1;
}

#ifdef PRELOADED

static int opened(const char *path, int flags, va_list more)
{
    mode_t mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(more, mode_t) : 0;
    return is_refused(OPEN) ? -1 : openat(AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int fd = opened(path, flags, more);
    va_end(more);
    return fd;
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int fd = opened(path, flags, more);
    va_end(more);
    return fd;
}

/* From now on as a kernel before 5.4: then the lock is proved by a file. It comes before libc for the whole process. */
static atomic_int no_cold;

void forget_cold(void)
{
    atomic_store(&no_cold, 1);
}

int madvise(void *address, size_t length, int advice)
{
    if (advice == MADV_COLD && atomic_load(&no_cold)) {
        errno = EINVAL;
        return -1;
    }
    return (int) syscall(SYS_madvise, address, length, advice);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (real == NULL) {
        *(void **) &real = dlsym(RTLD_NEXT, "pthread_create");
    }
    return is_refused(THREAD) ? errno : real(thread, attributes, start, argument);
}

#else

/* Each mapping gets a place of its own, far from all other mappings: what is mapped there is Labyrinth's. It begins one
 * page after a huge page's boundary, so that there is something to trim on both sides.
 */
#define PLACES 0x3000000000ULL
#define PLACE_BYTES (256ULL << 20)

static atomic_long place;

uintptr_t place_start(void)
{
    return PLACES + (uintptr_t) atomic_load(&place) * PLACE_BYTES;
}

uintptr_t place_end(void)
{
    return place_start() + PLACE_BYTES;
}

/* As kernels before 6.12: a refused mapping over other mappings has already unmapped them. */
static atomic_int unmaps_first;

int unmap_first(void)
{
    atomic_store(&unmaps_first, 1);
    return 0;
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (address == NULL) {
        atomic_fetch_add(&place, 1);
        address = (void *) (place_start() + 4096);
    }
    if (is_refused(MMAP)) {
        if ((flags & MAP_FIXED) != 0 && atomic_load(&unmaps_first)) {
            syscall(SYS_munmap, address, length);
        }
        return MAP_FAILED;
    }
    return (void *) syscall(SYS_mmap, address, length, protection, flags, fd, offset);
}

void *mremap(void *from, size_t length, size_t new_length, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    void *to = va_arg(more, void *);
    va_end(more);
    return is_refused(MREMAP) ? MAP_FAILED : (void *) syscall(SYS_mremap, from, length, new_length, flags, to);
}

int munmap(void *address, size_t length)
{
    return is_refused(MUNMAP) ? -1 : (int) syscall(SYS_munmap, address, length);
}

int madvise(void *address, size_t length, int advice)
{
    return is_refused(advice == MADV_POPULATE_WRITE ? POPULATE : ADVISE) ? -1
            : (int) syscall(SYS_madvise, address, length, advice);
}

int mlock(const void *address, size_t length)
{
    return is_refused(LOCK) ? -1 : (int) syscall(SYS_mlock, address, length);
}

int mlock2(const void *address, size_t length, unsigned flags)
{
    return is_refused(flags == 0 ? LOCK2 : LOCK2_ON_FAULT) ? -1 : (int) syscall(SYS_mlock2, address, length, flags);
}

int munlock(const void *address, size_t length)
{
    return is_refused(UNLOCK) ? -1 : (int) syscall(SYS_munlock, address, length);
}

/* The calls that create and join a shared labyrinth. (Without close: Linux closes, whatever it answers.) */

int memfd_create(const char *name, unsigned flags)
{
    return is_refused(SHARED) ? -1 : (int) syscall(SYS_memfd_create, name, flags);
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    return is_refused(SHARED) ? -1 : openat(AT_FDCWD, path, flags, mode);
}

int ftruncate(int fd, off_t length)
{
    return is_refused(SHARED) ? -1 : (int) syscall(SYS_ftruncate, fd, length);
}

off_t lseek(int fd, off_t offset, int whence)
{
    return is_refused(SHARED) ? -1 : (off_t) syscall(SYS_lseek, fd, offset, whence);
}

int fcntl(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    long argument = va_arg(more, long);
    va_end(more);
    int kind = command == F_OFD_SETLK || command == F_OFD_GETLK ? BYTE_LOCK : SHARED;
    return is_refused(kind) ? -1 : (int) syscall(SYS_fcntl, fd, command, argument);
}

ssize_t pread(int fd, void *to, size_t bytes, off_t offset)
{
    return is_refused(SHARED) ? -1 : (ssize_t) syscall(SYS_pread64, fd, to, bytes, offset);
}

/* Returns the error, and does not change errno. */
int posix_fallocate(int fd, off_t offset, off_t bytes)
{
    int before = errno;
    int error = is_refused(FALLOCATE) || syscall(SYS_fallocate, fd, 0, offset, bytes) != 0 ? errno : 0;
    errno = before;
    return error;
}

int kill(pid_t pid, int signal)
{
    return is_refused(FIND) ? -1 : (int) syscall(SYS_kill, pid, signal);
}

/* A child that does not call exec, and ends after two minutes at the latest. It bypasses what the JVM does at a fork.
 */
int fork_one(void)
{
    struct timespec patience = {120, 0};
    pid_t child = (pid_t) syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) {
        syscall(SYS_ppoll, NULL, 0, &patience, NULL, 0);
        _exit(0);
    }
    return child;
}

/* From now on this process has no huge pages, as if the machine had none. */
int no_huge_pages(void)
{
    return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

/* ---------------------------------------------------------------------------------------------- a storm of signals
 *
 * Signals to each thread of the process, again and again. There is a handler, because a signal that is ignored by
 * default is never delivered. The handler does not ask for interrupted calls to be restarted.
 */
static atomic_int storming;
static atomic_long met;
static pthread_t sender;

static void meet(int signal)
{
    (void) signal;
    int error = errno;
    if (gettid() == atomic_load(&asker)) {
        atomic_fetch_add(&met, 1);
    }
    errno = error;
}

static void *send_signals(void *nothing)
{
    int me = gettid();
    while (atomic_load(&storming)) {
        DIR *tasks = opendir("/proc/self/task");
        for (struct dirent *task = tasks == NULL ? NULL : readdir(tasks); task != NULL; task = readdir(tasks)) {
            int tid = atoi(task->d_name);
            if (tid != 0 && tid != me) {
                syscall(SYS_tgkill, getpid(), tid, SIGURG);
            }
        }
        if (tasks != NULL) {
            closedir(tasks);
        }
        usleep(20);
    }
    return nothing;
}

int storm_begins(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = meet;
    sigfillset(&action.sa_mask);
    atomic_store(&asker, gettid());
    atomic_store(&storming, 1);
    return sigaction(SIGURG, &action, NULL) != 0 || pthread_create(&sender, NULL, send_signals, NULL) != 0;
}

/* The number of signals so far in the thread that began the storm. */
long signals_met(void)
{
    return atomic_load(&met);
}

int storm_ends(void)
{
    atomic_store(&storming, 0);
    return pthread_join(sender, NULL);
}

#endif
