/* SPDX-License-Identifier: Apache-2.0
 *
 * hidden.c: plays an older libc, for tests. It is preloaded into a JVM, which then looks symbols up here. HIDDEN is a
 * list of symbols, separated by commas: they are not found. If NO_CALLS is set, it also plays a kernel or a sandbox
 * without their system calls.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static long no_call(long number, ...)
{
    (void) number;
    errno = ENOSYS;
    return -1;
}

static int is_hidden(const char *name)
{
    const char *hidden = getenv("HIDDEN");
    const char *at = hidden == NULL ? NULL : strstr(hidden, name);
    size_t length = strlen(name);
    return at != NULL && (at == hidden || at[-1] == ',') && (at[length] == ',' || at[length] == '\0');
}

void *dlsym(void *library, const char *name)
{
    static void *(*real)(void *, const char *);
    static const char *const versions[] = {"GLIBC_2.34", "GLIBC_2.17", "GLIBC_2.2.5"};
    for (size_t i = 0; real == NULL && i < sizeof versions / sizeof *versions; i++) {
        *(void **) &real = dlvsym(RTLD_NEXT, "dlsym", versions[i]);
    }
    if (is_hidden(name)) {
        return NULL;
    }
    if (getenv("NO_CALLS") != NULL && strcmp(name, "syscall") == 0) {
        return (void *) no_call;
    }
    return real(library, name);
}
