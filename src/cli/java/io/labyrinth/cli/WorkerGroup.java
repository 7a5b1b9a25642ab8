package io.labyrinth.cli;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Threads that work together. The first one that fails stops the others, and its failure goes to the starter. */
final class WorkerGroup {

    private final Thread starter = Thread.currentThread();
    private final List<Thread> threads = new CopyOnWriteArrayList<>();
    private final AtomicReference<@Nullable Throwable> first = new AtomicReference<>();
    private volatile boolean stopped;

    /** What a thread does. An interrupt tells it to stop. */
    interface Work {
        void run() throws Exception;
    }

    void start(String name, Work work) {
        threads.add(Thread.ofPlatform().name("labyrinth-" + name).start(() -> {
            try {
                work.run();
            } catch (Throwable failure) {
                // An interrupt by stop() is no failure.
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

    /** Waits for all threads. Then throws what the first one that failed threw. */
    void join() throws Exception {
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    // A worker that failed interrupts the starter after it has stopped the others.
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
