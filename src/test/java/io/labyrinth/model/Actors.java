package io.labyrinth.model;

import io.labyrinth.kit.Race;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Threads that make their calls one at a time, so a test can say beforehand what each call must return: the thread that
 * runs the test, a platform thread and a virtual thread. The last two can end, and new ones take their places.
 */
final class Actors {

    static final int COUNT = 3;

    private final Thread[] threads = new Thread[COUNT];
    private final ExecutorService[] queues = new ExecutorService[COUNT];

    Actors() {
        threads[0] = Thread.currentThread();
        for (int actor = 1; actor < COUNT; actor++) {
            begin(actor);
        }
    }

    Thread thread(int actor) {
        return threads[actor];
    }

    /** The result, or what the call died of. */
    <T> T call(int actor, Callable<T> call) throws Throwable {
        if (actor == 0) {
            return call.call();
        }
        try {
            return queues[actor].submit(call).get();
        } catch (ExecutionException e) {
            throw e.getCause();
        }
    }

    /** Ends the thread, whatever it owns; another begins. */
    void replace(int actor) {
        queues[actor].shutdown();
        Race.join(threads[actor]);
        begin(actor);
    }

    private void begin(int actor) {
        Thread.Builder builder = actor == 1 ? Thread.ofPlatform().daemon() : Thread.ofVirtual();
        queues[actor] = Executors.newSingleThreadExecutor(builder.factory());
        try {
            threads[actor] = queues[actor].submit(Thread::currentThread).get();
        } catch (ExecutionException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
