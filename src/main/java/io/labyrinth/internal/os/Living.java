package io.labyrinth.internal.os;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Which platform threads live. For a virtual thread the page map keeps the thread's object, which tells it. */
public final class Living {

    /*
     * A thread counts as dead if the JVM knows no living thread with its id: ThreadMXBean.getThreadInfo. An id is never
     * used again, and every thread that has signed a page word has one.
     *
     * A list of all threads is not enough. Thread.getAllStackTraces, ThreadGroup.enumerate and getAllThreadIds leave
     * out the threads that an agent of the JVM's tool interface runs. Such a thread may own frames like any other. So
     * without the module java.management no thread counts as dead: a frame that stays out is a smaller evil than a
     * frame with two owners.
     */

    private static final Logger LOG = LoggerFactory.getLogger(Living.class);

    private static final boolean CAN_TELL = ModuleLayer.boot().findModule("java.management")
            .filter(Living.class.getModule()::canRead).isPresent();

    private Living() {
    }

    /** Those of these platform threads that have ended. The caller must have read their ids before. */
    public static Set<Long> endedOf(Set<Long> ids) {
        if (ids.isEmpty()) {
            return ids;
        }
        if (!CAN_TELL) {
            LOG.warn("threads={} hold frames, and nothing can tell whether they live: the sweep leaves them out; run"
                    + " with the module java.management", ids.size());
            return Set.of();
        }
        return Beans.endedOf(ids);
    }

    /** The threads that a list of threads shows, by id. For messages only: the list is not complete. */
    public static Map<Long, Thread> listed() {
        ThreadGroup root = Thread.currentThread().getThreadGroup();
        while (root.getParent() != null) {
            root = root.getParent();
        }
        Thread[] threads;
        int count;
        do {
            threads = new Thread[root.activeCount() * 2 + 16];
            count = root.enumerate(threads);
        } while (count == threads.length);
        Map<Long, Thread> listed = new HashMap<>();
        for (int i = 0; i < count; i++) {
            listed.put(threads[i].threadId(), threads[i]);
        }
        return listed;
    }

    /** Loaded only if its module is there. */
    private static final class Beans {

        static Set<Long> endedOf(Set<Long> ids) {
            long[] asked = ids.stream().mapToLong(Long::longValue).toArray();
            ThreadInfo[] alive = ManagementFactory.getThreadMXBean().getThreadInfo(asked);
            Set<Long> ended = new HashSet<>();
            for (int i = 0; i < asked.length; i++) {
                if (alive[i] == null) {
                    ended.add(asked[i]);
                }
            }
            return ended;
        }
    }
}
