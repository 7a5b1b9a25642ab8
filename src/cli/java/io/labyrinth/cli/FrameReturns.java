package io.labyrinth.cli;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** Lets a thread that got null wait until a frame comes back. The labyrinth itself lets nobody wait. */
final class FrameReturns {

    /**
     * A sprint may give null although something is free. Then no return comes, so the wait ends after this time.
     */
    private static final long PATIENCE_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    private final AtomicLong returns = new AtomicLong();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition returned = lock.newCondition();
    private volatile int waiting;

    /** The caller asks this before the allocation that may give null. */
    long soFar() {
        return returns.get();
    }

    /** The caller says this after each free. */
    void add() {
        returns.incrementAndGet();
        if (waiting > 0) {
            lock.lock();
            try {
                returned.signal();
            } finally {
                lock.unlock();
            }
        }
    }

    /** Waits until there are more returns than {@code seen}, or until the patience ends. */
    void awaitMoreThan(long seen) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            waiting++;
            // Asked after the count of waiters went up: a return that does not see the waiter is seen here.
            if (returns.get() == seen) {
                returned.awaitNanos(PATIENCE_NANOS);
            }
        } finally {
            waiting--;
            lock.unlock();
        }
    }
}
