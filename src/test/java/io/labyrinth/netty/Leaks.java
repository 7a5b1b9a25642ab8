package io.labyrinth.netty;

import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.Locking;
import io.netty.buffer.ByteBuf;
import io.netty.util.ResourceLeakDetector;
import io.netty.util.ResourceLeakDetectorFactory;
import io.netty.util.ResourceLeakTracker;

/**
 * Leaks a buffer, or fails where a buffer would be watched. It runs in a child JVM, because Netty makes its leak
 * detector only once.
 */
final class Leaks {

    private Leaks() {
    }

    public static void main(String[] arguments) throws InterruptedException {
        boolean tight = arguments[0].equals("tight");
        Labyrinth labyrinth = Labyrinth.builder("leaks").frames(64)
                .locking(tight ? Locking.REQUIRED : Locking.PREFERRED).open();
        if (arguments[0].equals("fail")) {
            ResourceLeakDetectorFactory.setResourceLeakDetectorFactory(new Failing());
        }
        LabyrinthByteBufAllocator allocator = new LabyrinthByteBufAllocator(labyrinth, Gfp.NOWAIT);
        if (arguments[0].equals("fail")) {
            failing(allocator);
        } else if (tight) {
            ByteBuf first = allocator.directBuffer(100);
            System.out.println("small=" + allocator.metric().usedFrameMemory());
            first.release();
            allocator.directBuffer(100).release();
            allocator.directBuffer(1000).release();
        } else {
            leaking(allocator);
        }
        allocator.trim();
        System.out.println("out=" + labyrinth.stats().claimed() + " bytes=" + allocator.metric().usedDirectMemory());
        labyrinth.validate();
    }

    /** The reports come with later allocations, once the collector has found what was dropped. */
    private static void leaking(LabyrinthByteBufAllocator allocator) throws InterruptedException {
        ByteBuf released = allocator.directBuffer(100).writeLong(1);
        released.release();
        leak(allocator);
        for (int i = 0; i < 5; i++) {
            System.gc();
            Thread.sleep(20);
            allocator.directBuffer(100).release();
        }
    }

    private static void leak(LabyrinthByteBufAllocator allocator) {
        ByteBuf dropped = allocator.directBuffer(100);
        dropped.touch("the last who saw it");
    }

    private static void failing(LabyrinthByteBufAllocator allocator) {
        try {
            allocator.directBuffer(100);
        } catch (OutOfMemoryError e) {
            System.out.println(e.getMessage());
        }
    }

    /** Makes detectors that run out of memory, as the real ones can. */
    private static final class Failing extends ResourceLeakDetectorFactory {
        @Override
        @Deprecated
        public <T> ResourceLeakDetector<T> newResourceLeakDetector(Class<T> resource, int interval, long active) {
            return new ResourceLeakDetector<>(resource, interval) {
                @Override
                public ResourceLeakTracker<T> track(T buffer) {
                    throw new OutOfMemoryError("no memory to watch by");
                }
            };
        }
    }
}
