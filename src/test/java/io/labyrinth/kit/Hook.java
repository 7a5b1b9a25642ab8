package io.labyrinth.kit;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/**
 * What the hooks of {@link Hooked} call. A program chooses one thread, and a number n. The hook acts at the thread's
 * n-th call in a try block, or at its n-th access to a page word, an advice word or an arena. There an error strikes
 * the thread, or it stops until it is released. No other thread notices anything.
 */
public final class Hook {

    /** In the call chosen, or also in each that follows: as where the stack has ended, until somebody has returned. */
    public enum Error { ONCE, FROM_THEN_ON }

    private static volatile @Nullable Thread chosen;
    private static int countdown;
    private static @Nullable Error error;
    /** Whether calls outside of try blocks count, too. */
    private static boolean anywhere;
    /** Whether the heap is what is lacking, and not the stack. */
    private static boolean ofHeap;
    /** How often each place was passed: of a loop the first rounds will do. */
    private static final Map<String, Integer> PASSED = new HashMap<>();
    private static final int ROUNDS = 2;
    private static final Set<String> STRUCK = new TreeSet<>();
    private static String firstStruck = "";
    private static volatile CountDownLatch stopped = new CountDownLatch(0);
    private static volatile CountDownLatch letGo = new CountDownLatch(0);

    private Hook() {
    }

    /** Called in front of each call of the hooked classes. */
    public static void at(String place, boolean inTryBlock) {
        if (chosen != Thread.currentThread()) {
            return;
        }
        if (error == null) {
            if (isStep(place) && --countdown == 0) {
                stop();
            }
        } else if (inTryBlock || anywhere && (countdown < 0 || PASSED.merge(place, 1, Integer::sum) <= ROUNDS)) {
            if (--countdown == 0 || countdown < 0 && error == Error.FROM_THEN_ON) {
                STRUCK.add(place);
                firstStruck = countdown == 0 ? place : firstStruck;
                throw ofHeap ? new OutOfMemoryError(place) : new StackOverflowError(place);
            }
        }
    }

    /** What others can see, and what the thread itself sees; and each call of an arena. */
    private static boolean isStep(String place) {
        return place.startsWith("FrameArena") || place.endsWith(":setRelease") || place.endsWith(":compareAndSet")
                || place.endsWith(":getAcquire");
    }

    private static void stop() {
        stopped.countDown();
        boolean interrupted = false;
        while (letGo.getCount() > 0) {
            try {
                letGo.await();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** The calling thread's n-th call in a try block from now on fails. */
    public static void failAt(int call, Error how) {
        failAt(call, how, false, false);
    }

    /** The same, of all its calls, in a loop the first times; for want of heap or of stack. */
    public static void failAnywhere(int call, Error how, boolean heap) {
        failAt(call, how, true, heap);
    }

    private static void failAt(int call, Error how, boolean inAnyCall, boolean heap) {
        PASSED.clear();
        anywhere = inAnyCall;
        ofHeap = heap;
        error = how;
        countdown = call;
        chosen = Thread.currentThread();
    }

    /** The calling thread stops in front of its n-th step from now on. */
    public static void stopAt(int call) {
        error = null;
        countdown = call;
        chosen = Thread.currentThread();
    }

    /** Ends either, and tells whether it came to pass. */
    public static boolean happened() {
        chosen = null;
        return countdown <= 0;
    }

    /** The call that was struck first, of those that were struck for the last failure that was asked for. */
    public static String firstStruck() {
        return firstStruck;
    }

    /** The calls that have failed so far. */
    public static Set<String> struck() {
        return STRUCK;
    }

    /** Before {@link #stopAt}: for one thread that stops, and one that waits for it. */
    public static void prepareToStop() {
        stopped = new CountDownLatch(1);
        letGo = new CountDownLatch(1);
    }

    /** The thread that stops calls this at its end, too, as it may not come to its n-th call. */
    public static void stopped() {
        stopped.countDown();
    }

    public static void awaitStopped() throws InterruptedException {
        stopped.await();
    }

    public static void letGo() {
        letGo.countDown();
    }
}
