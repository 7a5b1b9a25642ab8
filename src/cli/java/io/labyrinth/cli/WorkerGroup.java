package io.labyrinth.cli;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Threads that work together: the first that fails ends the others, and the one that started them gets to know why. */
final class WorkerGroup {

    private final Thread starter = Thread.currentThread();
    private final List<Thread> threads = new CopyOnWriteArrayList<>();
    private final AtomicReference<@Nullable Throwable> first = new AtomicReference<>();
    private volatile boolean stopped;

    /** What a thread does; it is interrupted when it is to stop. */
    interface Work {
        void run() throws Exception;
    }

    void start(String name, Work work) {
        threads.add(Thread.ofPlatform().name("labyrinth-" + name).start(() -> {
            try {
                work.run();
            } catch (Throwable failure) {
                // After that, being interrupted is no failure.
                if (!stopped && first.compareAndSet(null, failure)) {
                    stop();
                    starter.interrupt();
                }
            }
        }));
    }

    void stop() {
        stopped = true;
        threads.forEach(Thread::interrupt);
    }

    /** Waits for all, and then throws what the first that failed has thrown. */
    void join() throws Exception {
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    // Whoever interrupts the starter has stopped the others.
                    stop();
                }
            }
        }
        Throwable failure = first.get();
        switch (failure) {
            case null -> { }
            case Exception e -> throw e;
            default -> throw (Error) failure;
        }
    }
}
