package io.labyrinth.netty;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.kit.ChildJvm;
import org.junit.jupiter.api.Test;

/** Netty's leak detector finds a buffer that nobody has released. Its frame stays out, and nobody takes it away. */
class LeakTest {

    @Test
    void aDroppedBufferIsReportedByItsLastUse() {
        ChildJvm.Result result = ChildJvm.ofAll(Leaks.class).jvm("-Dio.netty.leakDetection.level=paranoid").with("leak")
                .run();

        assertThat(result.exit()).as(result.toString()).isZero();
        assertThat(result.err()).containsOnlyOnce("LEAK: ByteBuf.release() was not called before it's garbage-coll")
                .contains("the last who saw it");
        assertThat(result.out()).contains("out=1 bytes=256");
    }

    /** 64 frames and their words are 264 KiB, and the words of the first slab would be 20 more; of the next, 12. */
    @Test
    void smallBuffersTakeFramesWhereTheWordsOfASlabCannotBeLocked() {
        ChildJvm.Result result = ChildJvm.ofAll(Leaks.class).mayLock(276 << 10).with("tight").run();

        assertThat(result.exit()).as(result.toString()).isZero();
        assertThat(result.out()).contains("small=4096", "out=0 bytes=0");
        assertThat(result.err()).containsOnlyOnce("buffers of up to 256 bytes take a frame each")
                .as("whose words are fewer").doesNotContain("buffers of up to 512");
    }

    /** What fails between the claim and the return gives the frame back. */
    @Test
    void noFrameIsLostWhereTheDetectorRunsOutOfMemory() {
        ChildJvm.Result result = ChildJvm.ofAll(Leaks.class).with("fail").run();

        assertThat(result.exit()).as(result.toString()).isZero();
        assertThat(result.out()).contains("no memory to watch by", "out=0 bytes=0");
    }
}
