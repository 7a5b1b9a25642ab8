package io.labyrinth.internal.os;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Which platform threads live. Of a virtual thread the page map keeps the object, which can be asked. */
public final class Living {

    /*
     * A thread is taken for dead if the JVM, asked for its id, knows none that is alive: ThreadMXBean.getThreadInfo. An
     * id is never used again, and whoever has signed a page word has had one.
     *
     * A list of all threads is not enough. Thread.getAllStackTraces, ThreadGroup.enumerate and getAllThreadIds all
     * leave out the threads that an agent of the JVM's tool interface runs, and such a thread may own frames as any
     * other. So where the module java.management is missing nobody is taken for dead: a frame that stays out is a
     * smaller evil than one with two owners.
     */

    private static final Logger LOG = LoggerFactory.getLogger(Living.class);

    private static final boolean CAN_TELL = ModuleLayer.boot().findModule("java.management")
            .filter(Living.class.getModule()::canRead).isPresent();

    private Living() {
    }

    /** Those of these platform threads that have ended. The caller has read their ids before. */
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

    /** Names of those that a list of threads shows, by id: for people. */
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

    /** Loaded only where its module is. */
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
