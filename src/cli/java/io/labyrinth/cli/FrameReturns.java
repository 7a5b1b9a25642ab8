package io.labyrinth.cli;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** What a thread waits for after a null: that a frame comes back. The labyrinth itself lets nobody wait. */
final class FrameReturns {

    /**
     * A sprint may give null although something is free; then no return is to come, and it is the time to try again.
     */
    private static final long PATIENCE_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    private final AtomicLong returns = new AtomicLong();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition returned = lock.newCondition();
    private volatile int waiting;

    /** To be asked for before the allocation that may give null. */
    long soFar() {
        return returns.get();
    }

    /** After each free. */
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

    /** Waits for a return later than those. */
    void awaitMoreThan(long seen) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            waiting++;
            // After the count of those who wait went up: a return that misses it is seen here.
            if (returns.get() == seen) {
                returned.awaitNanos(PATIENCE_NANOS);
            }
        } finally {
            waiting--;
            lock.unlock();
        }
    }
}
