package io.labyrinth.internal.os;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.kit.Built;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.Verify;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

/** A sweep takes frames only from threads that have ended, no matter how the threads were started. */
class LivingTest {

    @Test
    void aThreadThatIsAttachedByJniIsNotSwept() throws IOException, InterruptedException {
        sweepsOnlyAtItsEnd("run_attached_by_jni");
    }

    @Test
    void aThreadThatItsFirstCallAttachesIsNotSwept() throws IOException, InterruptedException {
        sweepsOnlyAtItsEnd("run_attached_by_its_call");
    }

    /** Such a thread is in no list of threads. */
    @Test
    void aThreadThatAnAgentRunsIsNotSwept() throws IOException, InterruptedException {
        sweepsOnlyAtItsEnd("run_by_an_agent");
    }

    /** A frame that stays out is a smaller evil than one with two owners. */
    @Test
    void nobodyIsTakenForDeadWhereNothingCanTell() {
        ChildJvm.Result child = ChildJvm.of(NothingCanTell.class).jvm("--limit-modules", "java.base").run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out()).isEqualTo("swept=0 out=1\n");
    }

    private void sweepsOnlyAtItsEnd(String kind) throws IOException, InterruptedException {
        ChildJvm.Result child = ChildJvm.of(Foreigner.class).with(Built.of(Built.ATTACHED).toString(), kind).run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out()).isEqualTo("alive=0 ended=4\n");
        Verify.held("a sweep takes nothing from a thread that lives", "LivingTest", kind);
    }

    /** A thread that Java has not started claims, is swept while it lives, and again after its end. */
    static final class Foreigner {

        private static final Labyrinth LABYRINTH = Labyrinth.builder("foreigner").frames(64).open();
        private static final CountDownLatch CLAIMED = new CountDownLatch(1);
        private static final CountDownLatch MAY_END = new CountDownLatch(1);

        @SuppressWarnings("restricted")
        public static void main(String[] args) throws Throwable {
            System.load(args[0]);
            Linker linker = Linker.nativeLinker();
            MemorySegment work = linker.upcallStub(MethodHandles.lookup().findStatic(Foreigner.class, "claimAndWait",
                    MethodType.methodType(void.class)), FunctionDescriptor.ofVoid(), Arena.global());
            int failed = (int) linker.downcallHandle(SymbolLookup.loaderLookup().findOrThrow(args[1]),
                    FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS)).invokeExact(work);
            if (failed != 0) {
                throw new AssertionError(args[1] + " failed: " + failed);
            }
            CLAIMED.await();
            int alive = LABYRINTH.sweepDeadOwners();
            System.out.print("alive=" + alive);
            MAY_END.countDown();
            int swept = 0;
            while (swept + alive == 0) {    // as long as the test's limit allows
                swept = LABYRINTH.sweepDeadOwners();
                Thread.sleep(1);
            }
            System.out.println(" ended=" + swept);
            LABYRINTH.close();
        }

        static void claimAndWait() {
            LABYRINTH.handles().alloc(Gfp.ATOMIC_EXCLUSIVE, 2);
            CLAIMED.countDown();
            try {
                MAY_END.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }

    /** Without the module that is asked. */
    static final class NothingCanTell {

        public static void main(String[] args) throws InterruptedException {
            Labyrinth labyrinth = Labyrinth.builder("untold").frames(16).open();
            Thread ended = Thread.ofPlatform().start(() -> labyrinth.handles().alloc(Gfp.ATOMIC_EXCLUSIVE, 0));
            ended.join();
            System.out.print("swept=" + labyrinth.sweepDeadOwners());
            System.out.println(" out=" + labyrinth.closeNow());
        }
    }
}
