/* SPDX-License-Identifier: Apache-2.0
 *
 * refusal.c: refusals and their sentences. A refusal notes its facts in thread-local memory. The sentence is made when
 * the program asks for it.
 */
#include "internal.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static _Thread_local struct refusal last __attribute__((tls_model("initial-exec")));
/* Copies: the labyrinth's name or the path may be gone when the program asks. */
static _Thread_local char last_name[LABYRINTH_NAME_BYTES] __attribute__((tls_model("initial-exec")));
static _Thread_local char last_mount[LABYRINTH_NAME_BYTES] __attribute__((tls_model("initial-exec")));

_Thread_local uint64_t labyrinth_thread __attribute__((tls_model("initial-exec")));

uint64_t labyrinth_new_thread(void)
{
    static _Atomic uint64_t threads;
    labyrinth_thread = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) + 1;
    return labyrinth_thread;
}

enum labyrinth_error refuse(struct refusal refusal)
{
    last = refusal;
    if (refusal.name != NULL) {
        snprintf(last_name, sizeof last_name, "%s", refusal.name);
        last.name = last_name;
    }
    if (refusal.mount != NULL) {
        snprintf(last_mount, sizeof last_mount, "%s", refusal.mount);
        last.mount = last_mount;
    }
    return refusal.error;
}

void refuse_nothing(void)
{
    last.error = LABYRINTH_OK;
}

enum labyrinth_error refuse_request(const char *fact, uint64_t value, uint64_t limit, const char *remedy)
{
    return refuse((struct refusal){.error = LABYRINTH_INVALID_REQUEST, .name = fact, .value = value, .limit = limit,
                                   .rule = remedy});
}

void note_handle(enum labyrinth_error error, const char *verb, uint64_t handle, uint64_t word, uint64_t owner)
{
    refuse((struct refusal){.error = error, .verb = verb, .handle = handle, .word = word, .owner = owner,
                            .value = labyrinth_thread});
}

enum labyrinth_error refuse_system(enum labyrinth_error error, const char *call, const char *name, uint64_t bytes,
                                   int errnum)
{
    return refuse((struct refusal){.error = error, .verb = call, .name = name, .value = bytes, .errnum = errnum});
}

enum labyrinth_error refuse_file(enum labyrinth_error error, const char *rule, uint64_t value, uint64_t limit)
{
    return refuse((struct refusal){.error = error, .rule = rule, .value = value, .limit = limit});
}

enum labyrinth_error refuse_bounds(const struct labyrinth *l, const char *verb, uint64_t handle)
{
    return refuse((struct refusal){.error = l->frames == 0 ? LABYRINTH_CLOSED : LABYRINTH_FOREIGN, .verb = verb,
                                   .handle = handle, .limit = l->frames});
}

enum labyrinth_error labyrinth_last_error(void)
{
    return last.error;
}

const char *labyrinth_error_name(enum labyrinth_error error)
{
    static const char *const names[] = {
        "OK", "INVALID_REQUEST", "STALE", "NOT_OWNER", "FOREIGN", "HELD_OTHERWISE", "CLOSED", "FRAMES_OUT",
        "MAP_REFUSED", "LOCK_REFUSED", "NOT_A_LABYRINTH", "UNSEALED", "NO_VACANCY", "VIOLATION",
        "CLOSE_REFUSED",
    };
    return (size_t) error < sizeof names / sizeof *names ? names[error] : "UNKNOWN";
}

static const char *state_name(uint64_t word)
{
    static const char *const names[] = {"none", "FREE", "HEAD", "TAIL", "IN_TRANSIT", "QUARANTINED"};
    return word_state(word) <= LABYRINTH_QUARANTINED ? names[word_state(word)] : "none";
}

typedef unsigned long long number;

#define PFN "pfn=%u generation=%llu"
#define PFN_OF(handle) handle_pfn(handle), (number) word_generation(handle)
#define WORD "state=%s order=%u generation=%llu tenant=%u%s%s"
#define WORD_OF(word) state_name(word), word_order(word), (number) word_generation(word), \
    (unsigned) ((word & TENANT_FIELD) >> LABYRINTH_TENANT_SHIFT), word_is_exclusive(word) ? " EXCLUSIVE" : "", \
    word_is_framed(word) ? " FRAMED" : ""

static const char *map_remedy(const struct refusal *r)
{
    if ((r->errnum == ENOSYS || r->errnum == EPERM) && strcmp(r->verb, "memfd_create") == 0) {
        return "there is no memfd_create here (Linux 3.17, and a sandbox that allows it); share it by a file below"
               " /dev/shm";
    }
    switch (r->errnum) {
    case ENOENT: return "there is no such file or folder; the process that creates it makes the file, so start that"
                        " process first";
    case EEXIST: return "there is a file of this name already; attach to it, if it is a labyrinth, or choose another";
    case EFBIG:  return "the file would be too large: raise the limit (ulimit -f), or ask for fewer frames";
    case ENOSPC:
    case ENOMEM: return "ask for fewer frames, or give the machine, its cgroup or this process more memory";
    default:     return "check the file and its rights, the size of its file system and the limits of this process";
    }
}

static void explain_map(char *text, size_t bytes, const struct refusal *r)
{
    if (r->rule != NULL && r->errnum == 0) {
        snprintf(text, bytes, "labyrinth=%s requested=%llu available=%llu %s", r->name, (number) r->value,
                 (number) r->limit, r->rule);
    } else if (r->rule != NULL) {
        snprintf(text, bytes, "%s refused: %s errno=%d(%s): %s", r->verb, r->name, r->errnum, strerror(r->errnum),
                 r->rule);
    } else if (r->mount == NULL) {
        snprintf(text, bytes, "%s refused: %s bytes=%llu errno=%d(%s): %s", r->verb, r->name, (number) r->value,
                 r->errnum, strerror(r->errnum), map_remedy(r));
    } else {
        snprintf(text, bytes, "%s refused: %s bytes=%llu mount=%s size=%llu free=%llu errno=%d(%s): ask for fewer"
                 " frames, remove what is there, or make the mount larger (docker run --shm-size, Kubernetes"
                 " emptyDir.sizeLimit with medium: Memory, mount -o remount,size=)", r->verb, r->name,
                 (number) r->value, r->mount, (number) r->mount_bytes, (number) r->limit, r->errnum,
                 strerror(r->errnum));
    }
}

static void explain_close(char *text, size_t bytes, const struct refusal *r)
{
    if (r->limit != 0) {
        snprintf(text, bytes, "labyrinth=%s cannot give up its slot: %s errno=%d(%s) slot=%llu: it gives no more"
                 " frames; detach again: the detach goes on from here", r->name, r->verb, r->errnum,
                 strerror(r->errnum), (number) r->limit);
    } else {
        snprintf(text, bytes, "labyrinth=%s cannot give its memory back: %s bytes=%llu errno=%d(%s): it gives no more"
                 " frames; raise the limit (vm.max_map_count), and detach again: the detach goes on from here", r->name,
                 r->verb, (number) r->value, r->errnum, strerror(r->errnum));
    }
}

const char *labyrinth_explain(char *text, size_t bytes)
{
    const struct refusal *r = &last;
    switch (r->error) {
    case LABYRINTH_OK:
        snprintf(text, bytes, "nothing was refused; an allocation that returned 0 found nothing free within reach: free"
                 " some frames, sweep dead tenants, or make a larger labyrinth");
        break;
    case LABYRINTH_INVALID_REQUEST:
        snprintf(text, bytes, "%s=%llu limit=%llu: %s", r->name, (number) r->value, (number) r->limit, r->rule);
        break;
    case LABYRINTH_STALE:
        snprintf(text, bytes, "%s refused: " PFN ", but the frame is " WORD ": this life of it has ended (freed, handed"
                 " over or swept before); use each handle or ticket once", r->verb, PFN_OF(r->handle),
                 WORD_OF(r->word));
        break;
    case LABYRINTH_NOT_OWNER:
        snprintf(text, bytes, "%s refused: " PFN " is EXCLUSIVE to tenant=%u thread=%llu, caller is thread=%llu: let"
                 " the owner do it, or hand the frame over first", r->verb, PFN_OF(r->handle),
                 (unsigned) ((r->word & TENANT_FIELD) >> LABYRINTH_TENANT_SHIFT), (number) (r->owner & OWNER_ID_FIELD),
                 (number) r->value);
        break;
    case LABYRINTH_FOREIGN:
        if (r->limit == 0) {
            snprintf(text, bytes, "%s refused: " PFN ", but the frame is " WORD ": no such run fits there, so some"
                     " process has written where it may not; create the labyrinth anew", r->verb, PFN_OF(r->handle),
                     WORD_OF(r->word));
            break;
        }
        snprintf(text, bytes, "%s refused: " PFN " frames=%llu: the handle is of another labyrinth, or forged; use"
                 " those that this one gave", r->verb, PFN_OF(r->handle), (number) r->limit);
        break;
    case LABYRINTH_HELD_OTHERWISE:
        snprintf(text, bytes, "%s refused: " PFN " was allocated as a Frame of Java, whose segment must die with it:"
                 " use the Frame or its Ticket", r->verb, PFN_OF(r->handle));
        break;
    case LABYRINTH_CLOSED:
        snprintf(text, bytes, "%s refused: the labyrinth is detached: all that it handed out has ended; attach"
                 " again", r->verb);
        break;
    case LABYRINTH_FRAMES_OUT:
        snprintf(text, bytes, "labyrinth=%s cannot detach: runs=%llu frames=%llu of this tenant are claimed or in"
                 " transit: free them, see their tickets accepted, or labyrinth_detach_now()", r->name,
                 (number) r->limit, (number) r->value);
        break;
    case LABYRINTH_MAP_REFUSED:
        explain_map(text, bytes, r);
        break;
    case LABYRINTH_LOCK_REFUSED:
        snprintf(text, bytes, "%s refused: labyrinth=%s bytes=%llu errno=%d(%s): raise the limit (ulimit -l), ask for"
                 " fewer frames, or attach with LABYRINTH_LOCK_PREFERRED", r->verb, r->name, (number) r->value,
                 r->errnum, strerror(r->errnum));
        break;
    case LABYRINTH_NOT_A_LABYRINTH:
        snprintf(text, bytes, "not a labyrinth: %s, found=%llu wanted or limit=%llu: attach to a labyrinth that this"
                 " version created on this machine", r->rule, (number) r->value, (number) r->limit);
        break;
    case LABYRINTH_UNSEALED:
        snprintf(text, bytes, "unsealed: seals=%llu needed=%llu (F_SEAL_SHRINK, F_SEAL_GROW): %s", (number) r->value,
                 (number) r->limit, r->rule);
        break;
    case LABYRINTH_NO_VACANCY:
        snprintf(text, bytes, "labyrinth=%s has no vacant slot: limit=%llu living tenants: detach one, or create"
                 " several labyrinths", r->name, (number) r->limit);
        break;
    case LABYRINTH_CLOSE_REFUSED:
        explain_close(text, bytes, r);
        break;
    case LABYRINTH_VIOLATION:
        snprintf(text, bytes, PFN " " WORD " thread=%llu: %s (found at pfn=%llu): some process has written where it may"
                 " not; create the labyrinth anew", PFN_OF(r->handle), WORD_OF(r->word),
                 (number) (r->owner & OWNER_ID_FIELD), r->rule, (number) r->value);
        break;
    }
    return text;
}
