package io.labyrinth.tenants;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.Locking;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.Verify;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** JVMs that share a labyrinth are killed while they claim, split, join, free and hand over. */
class KilledTenantsTest {

    private static final Gfp EXCLUSIVE = Gfp.NOWAIT.with(Gfp.EXCLUSIVE);
    private static final int FRAMES = 2048;
    private static final int THREADS = 3;
    private static final int AT_ONCE = 2;
    private static final String READY = "ready";

    private final Path path = Path.of("/dev/shm/labyrinth-killed-" + ProcessHandle.current().pid());
    private final SplittableRandom random = new SplittableRandom();

    /** A tenant: its threads churn until it is killed, and say what they found wrong. Argument: the path. */
    public static final class Tenant {

        private final Labyrinth labyrinth;
        private final SplittableRandom random = new SplittableRandom();
        private final Queue<Frame> held = new ArrayDeque<>();

        private Tenant(Labyrinth labyrinth) {
            this.labyrinth = labyrinth;
        }

        public static void main(String[] args) {
            Labyrinth labyrinth = Labyrinth.attach(Path.of(args[0]), Locking.NONE);
            for (int i = 0; i < THREADS; i++) {
                Thread.ofPlatform().start(() -> {
                    try {
                        new Tenant(labyrinth).churn();
                    } catch (Throwable e) {
                        System.out.println("violation: " + e);
                    }
                });
            }
            System.out.println(READY);
        }

        private void churn() {
            while (true) {
                int order = Math.min(random.nextInt(7), random.nextInt(7));
                Frame frame = labyrinth.allocPages(random.nextInt(3) == 0 ? Gfp.NOWAIT : EXCLUSIVE, order);
                if (frame != null) {
                    stamp(frame);
                    held.add(frame);
                }
                // The others may have all there is before this thread has any.
                if (!held.isEmpty() && (frame == null || held.size() > 40)) {
                    giveUp(held.remove());
                }
            }
        }

        private void giveUp(Frame frame) {
            check(frame);
            if (random.nextInt(4) == 0) {
                Frame accepted = frame.handOff().accept();
                check(accepted);
                accepted.close();
            } else {
                frame.close();
            }
        }

        private static long mark(Frame frame) {
            return ProcessHandle.current().pid() << 40 ^ Thread.currentThread().threadId() << 24 ^ frame.pfn();
        }

        private static void stamp(Frame frame) {
            MemorySegment segment = frame.segment();
            for (long at = 0; at < segment.byteSize(); at += 1024) {
                segment.set(ValueLayout.JAVA_LONG, at, mark(frame));
            }
        }

        private static void check(Frame frame) {
            MemorySegment segment = frame.segment();
            for (long at = 0; at < segment.byteSize(); at += 1024) {
                if (segment.get(ValueLayout.JAVA_LONG, at) != mark(frame)) {
                    throw new AssertionError(frame + " was written to by somebody else");
                }
            }
        }
    }

    @Test
    void whatKilledJvmsHeldIsReturnedAndNothingElse() throws Exception {
        long kills = Verify.scale(6, 50);
        try (Labyrinth labyrinth = Labyrinth.builder("killed").frames(FRAMES).locking(Locking.NONE).shared(path)
                .open()) {
            List<Frame> mine = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                mine.add(labyrinth.allocPages(EXCLUSIVE, i % 4));
                Tenant.stamp(mine.getLast());
            }
            int claimed = labyrinth.stats().claimed();
            long freed = 0;
            for (int killed = 0; killed < kills; killed += AT_ONCE) {
                List<Process> tenants = new ArrayList<>();
                for (int i = 0; i < AT_ONCE; i++) {
                    tenants.add(ChildJvm.of(Tenant.class).with(path.toString()).start());
                }
                try {
                    for (Process tenant : tenants) {
                        freed += kill(labyrinth, tenant);
                    }
                } finally {
                    tenants.forEach(Process::destroyForcibly);
                }
                assertThat(labyrinth.stats().claimed()).isEqualTo(claimed);
                assertThat(labyrinth.stats().inTransit()).isZero();
                labyrinth.validate();
                mine.forEach(Tenant::check);
            }
            assertThat(freed).as("they held something").isPositive();
            assertThat(labyrinth.stats().free()).isEqualTo(FRAMES - claimed);
            mine.forEach(Frame::close);
            labyrinth.validate();
        } finally {
            Files.deleteIfExists(path);
        }
        Verify.held("nothing is lost when a process is killed", "KilledTenantsTest", kills + " JVMs killed");
    }

    /** Sweeps while the other one is alive and at work, too. */
    private long kill(Labyrinth labyrinth, Process tenant) throws Exception {
        String first = tenant.inputReader().readLine();
        assertThat(first).isEqualTo(READY);
        Thread.sleep(random.nextInt(200));
        // Not by the Process, which would close what it printed.
        tenant.toHandle().destroyForcibly();
        assertThat(tenant.waitFor(1, TimeUnit.MINUTES)).isTrue();
        assertThat(tenant.inputReader().readAllAsString()).isEmpty();
        return labyrinth.sweepDeadOwners();
    }
}
