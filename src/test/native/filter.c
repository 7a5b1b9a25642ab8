/* SPDX-License-Identifier: Apache-2.0
 *
 * filter CALL... -- PROGRAM ARGUMENT...: runs a program under a seccomp filter like those of old container runtimes.
 * They answer EPERM to calls that they do not know. CALL is mlock2, memfd_create, or an advice of madvise: cold,
 * populate.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ADVICE BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

int main(int count, char **args)
{
    struct sock_filter filter[64];
    unsigned short length = 0;
    int at = 1;
    for (; at < count && strcmp(args[at], "--") != 0 && length < 50; at++) {
        int is_cold = strcmp(args[at], "cold") == 0;
        int is_advice = is_cold || strcmp(args[at], "populate") == 0;
        const struct sock_filter advice[] = {NUMBER, UNLESS(SYS_madvise, 3), ADVICE, UNLESS(is_cold ? 20 : 23, 1),
                                             REFUSE};
        const struct sock_filter call[] = {NUMBER,
                                           UNLESS(strcmp(args[at], "mlock2") == 0 ? SYS_mlock2 : SYS_memfd_create, 1),
                                           REFUSE};
        memcpy(filter + length, is_advice ? advice : call, is_advice ? sizeof advice : sizeof call);
        length += is_advice ? sizeof advice / sizeof *advice : sizeof call / sizeof *call;
    }
    filter[length++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {length, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        perror("seccomp");
        return 99;
    }
    execvp(args[at + 1], args + at + 1);
    perror(args[at + 1]);
    return 98;
}
