/* The advice: no group's and no span's advice hides a free frame (PageMap: advise; Advice: clearGroup, clearSpan).
 *
 * ACTORS actors do up to OPS operations in all: claim, free, clear a group's advice, clear the span's advice. This
 * model knows only whether a word is free; frames.pml has the rest. At the start any words are free, and all is
 * advised. The stores of a free become visible in their order, as release stores do, and any time later. The model
 * takes them as separate steps of the free, which is the same, because the free looks at nothing between them.
 *
 * -DBUG=n plants bug n: see check.
 */
#ifndef ACTORS
#define ACTORS 3
#endif
#ifndef OPS
#define OPS 5
#endif
#ifndef BUG
#define BUG 0
#endif

#define FRAMES 3
#define GROUPS 2
#define GROUP_OF(f) ((f) / 2)
#define GROUP_END(g) ((g) == 0 -> 2 : FRAMES)

#if BUG == 13
#define STAMP 2
#else
#define STAMP (me + 1)
#endif

#define FREE 0
#define HELD 1
#define LEAVING 2 /* ghost: HELD by an actor that has begun to free it */
byte word[FRAMES];
byte groupAdvice[GROUPS] = 1;
byte spanAdvice = 1;

byte opsLeft = OPS;
byte started;
byte busy;

#define MAY_BEGIN (opsLeft > 0 && started >= me - 1)
#define BEGIN \
    opsLeft--; \
    started = (started < me -> me : started); \
    busy++

#define CHECK_REST \
    i = 0; \
    do \
    :: i < FRAMES -> \
        assert(word[i] != FREE || groupAdvice[GROUP_OF(i)] != 0 && spanAdvice != 0); \
        i++ \
    :: else -> break \
    od

#if BUG == 14
#define ADVISE_GROUP \
    if \
    :: groupAdvice[g] != 0 -> skip \
    :: else -> groupAdvice[g] = 1 \
    fi
#else
#define ADVISE_GROUP groupAdvice[g] = 1
#endif

proctype actor(byte me) {
    byte f;
    byte g;
    byte i;
    byte seen;

end_next:
next:
    if
    :: atomic { MAY_BEGIN && word[0] == FREE -> BEGIN; word[0] = HELD; goto done }
    :: atomic { MAY_BEGIN && word[0] == HELD -> BEGIN; word[0] = LEAVING; f = 0; goto free }
    :: atomic { MAY_BEGIN && word[1] == FREE -> BEGIN; word[1] = HELD; goto done }
    :: atomic { MAY_BEGIN && word[1] == HELD -> BEGIN; word[1] = LEAVING; f = 1; goto free }
    :: atomic { MAY_BEGIN && word[2] == FREE -> BEGIN; word[2] = HELD; goto done }
    :: atomic { MAY_BEGIN && word[2] == HELD -> BEGIN; word[2] = LEAVING; f = 2; goto free }
    :: atomic { MAY_BEGIN && groupAdvice[0] != 0 -> BEGIN; g = 0; seen = groupAdvice[0]; goto clearGroup }
    :: atomic { MAY_BEGIN && groupAdvice[1] != 0 -> BEGIN; g = 1; seen = groupAdvice[1]; goto clearGroup }
    :: atomic { MAY_BEGIN && spanAdvice != 0 -> BEGIN; seen = spanAdvice; goto clearSpan }
    fi;

free:
    g = GROUP_OF(f);
#if BUG == 11
    ADVISE_GROUP;
    spanAdvice = 1;
    word[f] = FREE;
#else
    word[f] = FREE;
#if BUG == 15
    spanAdvice = 1;
    ADVISE_GROUP;
#else
    ADVISE_GROUP;
    spanAdvice = 1;
#endif
#endif
    goto done;

clearGroup:
#if BUG != 16
    atomic {
        if
        :: groupAdvice[g] == seen -> groupAdvice[g] = STAMP; seen = STAMP
        :: else -> goto done
        fi
    }
#endif
    i = g * 2;
    do
    :: i < GROUP_END(g) ->
        if
        :: word[i] == FREE -> goto done
        :: else -> i++
        fi
    :: else -> break
    od;
    atomic {
        if
        :: groupAdvice[g] == seen || BUG == 12 -> groupAdvice[g] = 0
        :: else
        fi
    }
    goto done;

clearSpan:
    atomic {
        if
        :: spanAdvice == seen -> spanAdvice = STAMP; seen = STAMP
        :: else -> goto done
        fi
    }
    i = 0;
    do
    :: i < GROUPS ->
        if
        :: groupAdvice[i] != 0 -> goto done
        :: else -> i++
        fi
    :: else -> break
    od;
    atomic {
        if
        :: spanAdvice == seen -> spanAdvice = 0
        :: else
        fi
    }

done:
    atomic {
        busy--;
        if
        :: busy == 0 -> CHECK_REST
        :: else
        fi;
        f = 0;
        g = 0;
        i = 0;
        seen = 0
    }
    goto next
}

init {
    byte i;
    atomic {
        do
        :: i < FRAMES -> i++
        :: i < FRAMES -> word[i] = HELD; i++
        :: i == FRAMES -> break
        od;
        i = 1;
        do
        :: i <= ACTORS -> run actor(i); i++
        :: else -> break
        od
    }
}
