package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.kit.ChildJvm;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * What is optional is optional: the core runs in a JVM that has only the core's module and the modules that it
 * requires.
 */
class CoreAloneTest {

    @Test
    void theNamedModuleNeedsNothingButSlf4jAndAModuleOfTheJdk() {
        ChildJvm.Result child = ChildJvm.ofModules(Core.class, "java.management", "org.slf4j",
                "org.slf4j.simple").run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out()).isEqualTo("[io.labyrinth, java.base, java.management, org.slf4j, org.slf4j.simple]\n");
        assertThat(child.err()).contains("requests refused without NOWARN").doesNotContain("Error");
    }

    @Test
    void norDoesTheClassPath() {
        ChildJvm.Result child = ChildJvm.of(Core.class).jvm("--limit-modules", "java.base").run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out()).isEqualTo("[java.base]\n");
    }

    /** Everything that the core does, and all that could tell an optional module of it. */
    static final class Core {

        public static void main(String[] args) throws InterruptedException {
            System.out.println(ModuleLayer.boot().modules().stream().map(Module::getName).sorted()
                    .toList());
            try (Labyrinth labyrinth = Labyrinth.builder("alone").frames(128).reserve(32).sampleClaims(1).open()) {
                Handles handles = labyrinth.handles();
                Frame frame = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE);
                frame.segment().set(ValueLayout.JAVA_LONG, 8, 42);
                long refused = handles.alloc(Gfp.NOWAIT, 10);
                long inTransit = handles.alloc(Gfp.NOWAIT, 5);
                long other = handles.alloc(Gfp.NOWAIT, 5);
                long fromReserve = handles.alloc(Gfp.HIGH, 5);
                long again = handles.accept(handles.handOff(inTransit));
                Frame accepted = frame.handOff().accept();
                // Of a platform thread's end nothing could tell here: LivingTest.
                Thread ended = Thread.ofVirtual().start(() -> handles.alloc(Gfp.NOWAIT.with(Gfp.EXCLUSIVE), 1));
                ended.join();
                List<Owner> owners = labyrinth.owners();
                int swept = labyrinth.sweepDeadOwners();
                long read = accepted.segment().get(ValueLayout.JAVA_LONG, 8);
                handles.free(again);
                handles.free(other);
                handles.free(fromReserve);
                accepted.close();
                labyrinth.validate();
                LabyrinthStats stats = labyrinth.stats();
                if (refused != 0 || swept != 2 || read != 42 || owners.size() != 3 || stats.reserveHitsApprox() != 1
                        || stats.refusedApprox() != 1) {
                    throw new AssertionError(owners + " " + stats);
                }
            }
            beyondFrames();
        }

        private static void beyondFrames() {
            try (Labyrinth labyrinth = Labyrinth.builder("shared").frames(64).memfd().open();
                    Labyrinth tenant = Labyrinth.attach(labyrinth.sharedPath());
                    Slab slab = tenant.slab(64);
                    FrameArena arena = labyrinth.arena(Gfp.ATOMIC_EXCLUSIVE);
                    Watermarks looks = labyrinth.watermarks(1, 2, Duration.ofMillis(1), (mark, stats) -> { })) {
                long object = slab.alloc(Gfp.NOWAIT);
                slab.putLong(object, 56, 42);
                arena.allocate(5000).fill((byte) 1);
                boolean all = slab.getLong(object, 56) == 42 && slab.owners().size() == 1
                        && labyrinth.map().tenants().size() == 2 && labyrinth.stats().claimed() == 3;
                slab.free(object);
                slab.validate();
                if (!all || tenant.shrinkSlabs() != 1 || looks.toString().isEmpty()) {
                    throw new AssertionError(labyrinth.picture() + " " + labyrinth.map().tenants());
                }
            }
        }
    }
}
