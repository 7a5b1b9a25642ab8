package io.labyrinth.closing;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.LabyrinthStats;
import io.labyrinth.Locking;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.Verify;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** A tenant closes while its threads allocate. This runs in a child JVM, because a fault would end the JVM. */
class SharedCloseTest {

    private static final long TIMES = Verify.scale(40, 150, 600);
    private static final int PATIENCE_SECONDS = 1200;

    /** Attaches, lets threads churn, and closes under them, again and again. Arguments: the path, how often. */
    static final class Churn {

        private static final int THREADS = 4;

        private Churn() {
        }

        public static void main(String[] args) throws InterruptedException {
            Path path = Path.of(args[0]);
            try (Labyrinth host = Labyrinth.builder("churn").frames(64).locking(Locking.NONE).shared(path).open()) {
                for (int i = 0; i < Integer.parseInt(args[1]); i++) {
                    closeUnderLoad(Labyrinth.attach(path, Locking.NONE), i);
                    LabyrinthStats stats = host.stats();
                    if (stats.claimed() != 0 || stats.inTransit() != 0) {
                        throw new AssertionError("left behind: " + stats);
                    }
                    host.validate();
                }
            }
        }

        private static void closeUnderLoad(Labyrinth labyrinth, int turn) throws InterruptedException {
            Thread[] threads = new Thread[THREADS];
            for (int i = 0; i < THREADS; i++) {
                threads[i] = Thread.ofPlatform().start(() -> churn(labyrinth));
            }
            Thread.sleep(1, turn % 10 * 100_000);
            while (!closed(labyrinth)) {
                Thread.onSpinWait();
            }
            for (Thread thread : threads) {
                thread.join();
            }
        }

        private static boolean closed(Labyrinth labyrinth) {
            try {
                labyrinth.close();
                return true;
            } catch (LabyrinthException.FramesOut out) {
                return false;
            }
        }

        /** Until it is closed; the frame at hand then reads and takes what is nobody's. */
        private static void churn(Labyrinth labyrinth) {
            Gfp gfp = Gfp.NOWAIT.with(Gfp.EXCLUSIVE).with(Gfp.NOWARN);
            try {
                while (true) {
                    Frame frame = labyrinth.allocPage(gfp);
                    if (frame != null) {
                        MemorySegment page = frame.segment();
                        for (long i = 0; i < 3000; i++) {
                            page.set(ValueLayout.JAVA_LONG, i & 0xff8, i);
                        }
                        frame.close();
                    }
                    for (int i = 0; i < 100; i++) {
                        Thread.onSpinWait();
                    }
                }
            } catch (LabyrinthException.Closed closed) {
                return;
            }
        }
    }

    @Test
    void whoIsAtWorkWhenItClosesIsRefusedAndComesToNoHarm() throws Exception {
        Path path = Path.of("/dev/shm/labyrinth-churn-" + ProcessHandle.current().pid());
        try {
            ChildJvm.Result child = ChildJvm.of(Churn.class).withBothCompilers()
                    .with(path.toString(), String.valueOf(TIMES)).patience(PATIENCE_SECONDS).run();
            assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
            Verify.held("a thread at work during a close is refused, and harms nobody", "SharedCloseTest", TIMES
                    + " closings under " + Churn.THREADS + " threads");
        } finally {
            Files.deleteIfExists(path);
        }
    }
}
