/* The life of a frame: every atomic step of PageMap.java that changes a page word, and a ghost that watches it.
 *
 * ACTORS actors do up to OPS operations in all, in every order and interleaving: claim (split, join with its rollback),
 * release, hand-over, accept, sweep, end. They know every name (handle or ticket) that was given out. So each actor may
 * free, pass on or accept what any other actor has, at any time later: misuse is the rule here. The labyrinth begins
 * with any tiling by free runs.
 *
 * Up to ERRORS errors strike an actor between a claim (or an accept) and its return, before or after its signature. The
 * actor's handler leaves marks, each in a step of its own. Any actor may mend what is marked, one actor at a time
 * (Orphans.java).
 *
 * Promela is sequentially consistent. This model is about the protocol. The tests that run on a CPU show whether
 * acquire and release suffice.
 *
 * What is left out, because it is checked elsewhere: stripes and walks, which only choose where to try; the advice (its
 * own model, advice.pml); quarantine and closing. If a look at a word would end an operation without any change, the
 * operation does not begin. A read of a word that the reader owns is one step with the write that follows: nobody else
 * may write there, and each write asserts that nobody else does.
 *
 * -DBUG=n plants bug n: see check.
 */
#ifndef ACTORS
#define ACTORS 3
#endif
#ifndef FRAMES
#define FRAMES 4
#endif
#ifndef MAX_ORDER
#define MAX_ORDER 1
#endif
#ifndef OPS
#define OPS 4
#endif
#ifndef ERRORS
#define ERRORS 0
#endif
#ifndef BUG
#define BUG 0
#endif

/* The page word: generation:4 | exclusive:1 | order:2 | state:2. No generation is used twice: OPS bounds their number,
 * and END_GENERATION asserts it.
 */
#define FREE 0
#define HEAD 1
#define TAIL 2
#define IN_TRANSIT 3
#define STATE(w) ((w) & 3)
#define ORDER(w) (((w) >> 2) & 3)
#define SIZE(w) (1 << ORDER(w))
#define IS_EXCLUSIVE(w) (((w) >> 4) & 1)
#define GENERATION(w) ((w) >> 5)
#define WORD(generation, exclusive, order, state) ((generation) << 5 | (exclusive) << 4 | (order) << 2 | (state))
#define LAST_GENERATION 15

#define CLAIMED(w, exclusive) WORD(GENERATION(w), exclusive, ORDER(w), HEAD)
#define RESIZED(w, order) WORD(GENERATION(w), IS_EXCLUSIVE(w), order, HEAD)
#define SPLIT_OFF(w, order) WORD(GENERATION(w), 0, order, HEAD)
#define JOINED(w) WORD(GENERATION(w), 0, 0, TAIL)
#define UNCLAIMED(w) WORD(GENERATION(w), 0, ORDER(w), FREE)
#define RELEASED(w) WORD(GENERATION(w) + RELEASE_STEP, 0, ORDER(w), FREE)
#define TRANSIT(w) WORD(GENERATION(w) + HAND_OVER_STEP, IS_EXCLUSIVE(w), ORDER(w), IN_TRANSIT)
#define ACCEPTED(w) WORD(GENERATION(w), IS_EXCLUSIVE(w), ORDER(w), HEAD)

/* The owner word: generation:1 | thread:2. 0 was never signed. It has one bit of the generation, and labyrinth.h has
 * eleven. A word that looks signed with eleven bits looks signed with one, so the model is the harder case.
 */
#define OWNER(thread, generation) (((generation) & 1) << 2 | (thread))
#define THREAD(owner) ((owner) & 3)
#define SAME_GENERATION(w, owner) (((GENERATION(w) & 1) == (owner) >> 2) || BUG == 2)
#define IS_SIGNED(w, owner) (THREAD(owner) != 0 && SAME_GENERATION(w, owner))
#define MAY_LEAVE(owner, thread, generation) \
    ((owner) == OWNER(thread, generation) || (BUG == 3 && THREAD(owner) == (thread)))

#if BUG == 5
#define RELEASE_STEP 0
#else
#define RELEASE_STEP 1
#endif
#if BUG == 6
#define HAND_OVER_STEP 0
#else
#define HAND_OVER_STEP 1
#endif

short word[FRAMES];
byte owner[FRAMES];
byte opsLeft = OPS;

/* Thread ids are 1 to ACTORS. */
bool alive[ACTORS + 1];
byte started;
/* The number of operations under way. If it is 0, the labyrinth is at rest. */
byte busy;

/* Marks: the generation that a mark is for, plus 1; 0: no mark. Only the actor that has set `mending` removes marks. */
byte mark[FRAMES];
bit mending;
byte errorsLeft = ERRORS;
#if BUG == 18
#define IS_FOR(m, w) ((m) != 0)
#else
#define IS_FOR(m, w) ((m) == GENERATION(w) + 1)
#endif
#define MARK(f) mark[f] = GENERATION(word[f]) + 1
/* The ghost: the frame is of a claim that an error cut off from its caller. */
bit abandoned[FRAMES];

/* Names given out: the generation of the last handle or ticket of each frame; 0: none was given out. */
byte name[FRAMES];

/* The ghost: which actor holds a frame, and how many generations of the frame have ended. */
#define NOBODY 0
#define SHARED 4 /* any actor that knows its name */
#define ON_THE_WAY 5
byte holder[FRAMES];
byte ended[FRAMES];
/* The value of `ended` when the name was given out. */
byte nameEnded[FRAMES];

/* All frames of the run that w heads pass from one holder to another. */
#define PASS(f, w, from, to) \
    k = f; \
    do \
    :: k < f + SIZE(w) -> \
        assert(holder[k] == (from)); \
        holder[k] = (to); \
        k++ \
    :: else -> break \
    od; \
    k = 0

#define ABANDON(from, to, on) \
    k = from; \
    do \
    :: k < (to) -> abandoned[k] = on; k++ \
    :: else -> break \
    od; \
    k = 0

#if ERRORS
#define MAY_BE_STRUCK(handler) \
    if \
    :: atomic { errorsLeft > 0 -> errorsLeft--; goto handler } \
    :: skip \
    fi
#else
#define MAY_BE_STRUCK(handler) skip
#endif

#define END_GENERATION(f) \
    ended[f]++; \
    assert(GENERATION(word[f]) < LAST_GENERATION)

#define PUBLISH(f, generation) \
    name[f] = (generation); \
    nameEnded[f] = ended[f]

/* At rest runs tile the labyrinth. Each run is free, or held by the actor that its words name. So nothing is lost: a
 * run that is shared or on the way can be freed by its name, and an owner's run by its owner or by a sweep. A run that
 * an error cut off has a mark for its generation.
 */
#define CHECK_REST \
    f = 0; \
    do \
    :: f < FRAMES && abandoned[f] -> \
        assert(STATE(word[f]) == HEAD && mark[f] == GENERATION(word[f]) + 1); \
        f = f + SIZE(word[f]) \
    :: f < FRAMES && !abandoned[f] -> \
        assert(STATE(word[f]) != TAIL && f % SIZE(word[f]) == 0 && f + SIZE(word[f]) <= FRAMES); \
        to = (STATE(word[f]) == FREE -> NOBODY : \
            (STATE(word[f]) == IN_TRANSIT -> ON_THE_WAY : \
            (IS_EXCLUSIVE(word[f]) -> THREAD(owner[f]) : SHARED))); \
        assert(STATE(word[f]) != HEAD || IS_SIGNED(word[f], owner[f])); \
        assert(to == NOBODY || name[f] == GENERATION(word[f]) && nameEnded[f] == ended[f]); \
        k = f; \
        do \
        :: k < f + SIZE(word[f]) -> \
            assert(holder[k] == to && (k == f || STATE(word[k]) == TAIL)); \
            k++ \
        :: else -> break \
        od; \
        f = k \
    :: else -> break \
    od; \
    k = 0

/* An operation's locals are reset, so that histories which differ in nothing else are one state. */
#define DONE \
    busy--; \
    if \
    :: busy == 0 -> CHECK_REST \
    :: else \
    fi; \
    f = 0; g = 0; w = 0; h = 0; o = 0; e = 0; to = 0; from = 0; end = 0; before = 0; half = 0; off = 0; accepts = 0

/* An actor that has ended does nothing more. All actors are alike, so they start in the order of their numbers. */
#define MAY_BEGIN (opsLeft > 0 && (alive[me] || started == me - 1))

/* Begins an operation at any frame for which this holds. */
#define BEGIN_WHERE(seen) \
    if \
    :: MAY_BEGIN && seen(0) -> f = 0 \
    :: MAY_BEGIN && FRAMES > 1 && seen(1) -> f = 1 \
    :: MAY_BEGIN && FRAMES > 2 && seen(2) -> f = 2 \
    :: MAY_BEGIN && FRAMES > 3 && seen(3) -> f = 3 \
    fi; \
    opsLeft--; \
    started = (started < me -> me : started); \
    alive[me] = true; \
    busy++; \
    w = word[f]

#define SEEN_FREE(f) (STATE(word[f]) == FREE)
#define SEEN_LIVE(f) (name[f] != 0 && STATE(word[f]) == HEAD && GENERATION(word[f]) == name[f])
#define SEEN_ON_THE_WAY(f) (name[f] != 0 && STATE(word[f]) == IN_TRANSIT && GENERATION(word[f]) == name[f])
#define SEEN_EXCLUSIVE(f) (STATE(word[f]) == HEAD && IS_EXCLUSIVE(word[f]))
#define SEEN_MARK(f) (mark[f] != 0 && !mending)

proctype actor(byte me) {
    byte f;      /* the frame */
    byte g;      /* the generation that a name or a mark is for; in a sweep the owner word */
    short w;     /* the word as it was seen */
    short h;     /* the word as its owner wrote it last */
    byte o;      /* the order wanted */
    byte half;
    bit e;       /* EXCLUSIVE wanted */
    byte from;
    byte to;
    byte end;
    byte before; /* ghost: the value of `ended` when the name was given out */
    bit off;     /* the upper half is a HEAD of its own */
    bit accepts;
    byte k;

end_next:
next:
    if
    :: atomic { /* claim: a word was seen FREE */
            BEGIN_WHERE(SEEN_FREE);
            if
            :: e = 0
            :: e = 1
            fi;
            if
            :: o = ORDER(w); goto claim
            :: ORDER(w) > 0 -> o = 0; goto claim
            :: ORDER(w) > 1 -> o = 1; goto claim
            :: MAX_ORDER > 0 && f % 2 == 0 && f + 2 <= FRAMES -> o = 1; goto join
            :: MAX_ORDER > 1 && f % 4 == 0 && f + 4 <= FRAMES -> o = 2; goto join
            fi
        }
    :: atomic { /* release, hand-over: a name is known, and the word is HEAD in its generation */
            BEGIN_WHERE(SEEN_LIVE);
            g = name[f];
            before = nameEnded[f];
            if
            :: h = RELEASED(w); goto leave
            :: h = TRANSIT(w); goto leave
            fi
        }
    :: atomic { /* accept: a name is known, and the word is IN_TRANSIT in its generation */
            BEGIN_WHERE(SEEN_ON_THE_WAY);
            before = nameEnded[f];
            goto accept
        }
    :: atomic { /* sweep: a run was seen HEAD and EXCLUSIVE */
            BEGIN_WHERE(SEEN_EXCLUSIVE);
            goto sweep
        }
#if ERRORS
    :: atomic { /* mend: a mark was seen, and no other actor is mending */
            BEGIN_WHERE(SEEN_MARK);
            mending = 1;
            g = mark[f];
            goto mend
        }
#endif
    :: alive[me] -> alive[me] = false; goto end_over
    fi;

    /* ------------------------------------------------------------------------------------------ claim and split */
claim:
#if BUG == 1
    if
    :: word[f] == w -> skip
    :: else -> goto done
    fi;
#endif
    atomic {
        if
        :: word[f] == w || BUG == 1 -> d_step { h = CLAIMED(w, e); word[f] = h; PASS(f, w, NOBODY, me) }
        :: else -> goto done
        fi
    }
    MAY_BE_STRUCK(struck);
    do
    :: ORDER(h) > o ->
        half = ORDER(h) - 1;
        to = f + (1 << half);
        d_step { assert(holder[to] == me); word[to] = SPLIT_OFF(word[to], half) }
        MAY_BE_STRUCK(struck);
        d_step { h = RESIZED(h, half); assert(holder[f] == me); word[f] = h; off = 1 }
        MAY_BE_STRUCK(struck);
        d_step { word[to] = UNCLAIMED(word[to]); PASS(to, word[to], me, NOBODY); off = 0 }
        MAY_BE_STRUCK(struck);
    :: else -> break
    od;

sign:
    atomic {
        assert(holder[f] == me);
        owner[f] = OWNER(me, GENERATION(h));
#if ERRORS
        if
        :: errorsLeft > 0 && !accepts -> errorsLeft--; goto struck
        :: skip
        fi;
#endif
        PUBLISH(f, GENERATION(h));
        if
        :: !IS_EXCLUSIVE(h) -> PASS(f, h, me, SHARED)
        :: else
        fi;
        DONE
    }
    goto next;

    /* ------------------------------------------------------------------------------------------------- join */
join:
    from = f;
    to = f;
    end = f + (1 << o);
    do
    :: to < end ->
        if
        :: to > f -> w = word[to]
        :: else
        fi;
        if
        :: STATE(w) != FREE || (to + SIZE(w) > end && BUG != 9) -> break
        :: else
        fi;
        d_step {
            if
            :: word[to] == w ->
                word[to] = CLAIMED(w, e);
                PASS(to, w, NOBODY, me);
                to = to + SIZE(w)
            :: else -> half = 1
            fi
        }
        if
        :: half == 1 -> break
        :: else
        fi;
        MAY_BE_STRUCK(struckJoin)
    :: else -> break
    od;
    if
    :: to < end ->
#if BUG != 4
        do
        :: from < to ->
            d_step {
                h = UNCLAIMED(word[from]);
                PASS(from, h, me, NOBODY);
                word[from] = h;
                from = from + SIZE(h)
            }
            MAY_BE_STRUCK(struckJoin)
        :: else -> break
        od;
#endif
        goto done
    :: else
    fi;
    d_step { h = RESIZED(word[f], o); assert(holder[f] == me); word[f] = h; from = f + 1 }
    do
    :: from < end ->
        MAY_BE_STRUCK(struck);
        d_step {
            assert(holder[from] == me);
            if
            :: STATE(word[from]) == HEAD -> word[from] = JOINED(word[from])
            :: else
            fi;
            from++
        }
    :: else -> break
    od;
    goto sign;

    /* ---------------------------------------------------------------------------------- release, hand-over */
leave:
    if
    :: IS_EXCLUSIVE(w) ->
        if
        :: MAY_LEAVE(owner[f], me, g) -> skip
        :: else -> goto done
        fi;
        d_step {
            assert(ended[f] == before);
            if
            :: STATE(h) == FREE -> PASS(f, w, me, NOBODY)
            :: else -> PASS(f, w, me, ON_THE_WAY)
            fi;
            word[f] = h;
            END_GENERATION(f);
            if
            :: STATE(h) == IN_TRANSIT -> PUBLISH(f, GENERATION(h))
            :: else
            fi;
            DONE
        }
    :: else ->
#if BUG != 10
        if
        :: IS_SIGNED(w, owner[f]) -> skip
        :: else -> goto done
        fi;
#endif
        d_step {
            if
            :: word[f] == w ->
                assert(ended[f] == before);
                if
                :: STATE(h) == FREE -> PASS(f, w, SHARED, NOBODY)
                :: else -> PASS(f, w, SHARED, ON_THE_WAY)
                fi;
                word[f] = h;
                END_GENERATION(f);
                if
                :: STATE(h) == IN_TRANSIT -> PUBLISH(f, GENERATION(h))
                :: else
                fi
            :: else
            fi;
            DONE
        }
    fi;
    goto next;

    /* ---------------------------------------------------------------------------------------------- accept */
accept:
    atomic {
        if
        :: word[f] == w || BUG == 7 ->
            d_step { assert(ended[f] == before); h = ACCEPTED(w); PASS(f, w, ON_THE_WAY, me); word[f] = h; accepts = 1 }
        :: else -> goto done
        fi
    }
    MAY_BE_STRUCK(struckAccept);
    goto sign;

    /* ----------------------------------------------------------------------------------------------- sweep */
sweep:
    g = owner[f];
    if
    :: IS_SIGNED(w, g) -> skip
    :: else -> goto done
    fi;
    if
    :: !alive[THREAD(g)] -> skip
    :: else -> goto done
    fi;
#if ERRORS && BUG != 17 && BUG != 18
    if
    :: IS_FOR(mark[f], w) -> goto done
    :: else
    fi;
#endif
    d_step {
        if
        :: word[f] == w || BUG == 8 ->
            assert(!alive[THREAD(g)]);
            ABANDON(f, f + SIZE(w), 0);
            PASS(f, w, THREAD(g), NOBODY);
            word[f] = RELEASED(w);
            END_GENERATION(f)
        :: else
        fi;
        DONE
    }
    goto next;

#if ERRORS
    /* ------------------------------------------------------------------------- the handlers of errors, and mending */
struckAccept:
    skip;
    if
    :: d_step { assert(word[f] == h); word[f] = w; PASS(f, w, me, ON_THE_WAY) } goto done /* a ticket again */
    :: goto struck /* an error struck this step, too */
    fi;

struckJoin:
    skip;
    d_step { ABANDON(from, to, 1) }
    do
    :: from < to -> d_step { MARK(from); from = from + SIZE(word[from]) }
    :: else -> break
    od;
    goto done;

struck:
    skip;
    d_step {
        ABANDON(f, f + SIZE(word[f]), 1);
        if
        :: off -> ABANDON(to, to + SIZE(word[to]), 1)
        :: else
        fi
    }
    if
    :: off -> d_step { MARK(to) }
    :: else
    fi;
    d_step { MARK(f) }
    goto done;

mend:
    w = word[f];
    if
    :: STATE(w) == HEAD && IS_FOR(g, w) ->
        from = f + 1;
        do
        :: from < f + SIZE(w) ->
            d_step {
                if
                :: STATE(word[from]) == HEAD -> word[from] = JOINED(word[from])
                :: else
                fi;
                from++
            }
        :: else -> break
        od;
#if BUG == 19
        skip;
#else
        mark[f] = 0;
#endif
        d_step {
            if
            :: word[f] == w ->
                assert(abandoned[f]);
                ABANDON(f, f + SIZE(w), 0);
                to = holder[f];
                PASS(f, w, to, NOBODY);
                word[f] = RELEASED(w);
                END_GENERATION(f)
            :: else
            fi
        }
#if BUG == 19
        mark[f] = 0;
#endif
    :: else -> mark[f] = 0
    fi;
    mending = 0;
#endif

done:
    atomic { DONE }
    goto next;

end_over:
    false
}

/* Begins with any tiling. */
init {
    byte f;
    atomic {
        do
        :: f < FRAMES ->
            if
            :: word[f] = WORD(1, 0, 0, FREE); f++
            :: MAX_ORDER > 0 && f % 2 == 0 && f + 2 <= FRAMES ->
                word[f] = WORD(1, 0, 1, FREE);
                word[f + 1] = WORD(1, 0, 0, TAIL);
                f = f + 2
            :: MAX_ORDER > 1 && f % 4 == 0 && f + 4 <= FRAMES ->
                word[f] = WORD(1, 0, 2, FREE);
                word[f + 1] = WORD(1, 0, 0, TAIL);
                word[f + 2] = WORD(1, 0, 0, TAIL);
                word[f + 3] = WORD(1, 0, 0, TAIL);
                f = f + 4
            fi
        :: else -> break
        od;
        f = 1;
        do
        :: f <= ACTORS -> run actor(f); f++
        :: else -> break
        od
    }
}
