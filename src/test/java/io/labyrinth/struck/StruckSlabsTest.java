package io.labyrinth.struck;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.kit.ChildJvm;
import java.util.List;
import org.junit.jupiter.api.Test;

/** No frame and no object is lost if an error strikes in a slab or an arena. The errors strike in a child JVM. */
class StruckSlabsTest {

    @Test
    void nothingIsLostByAnErrorInAnyCallOfASlabOrAnArena() {
        ChildJvm.Result child = ChildJvm.of(StruckArenasAndSlabs.class).jvm("-Xmx64m").run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        for (String method : List.of("FrameArena.takeNew", "FrameArena.free", "Allocator.claim", "Allocator.finish",
                "SlabPages.grow", "SlabPages.fill", "SlabPages.empty", "SlabPages.reopen", "SlabPages.mend",
                "SlabPages.close")) {
            assertThat(child.out()).contains("struck " + method + "#");
        }
        assertThat(child.out()).containsPattern("struck SlabPages.grow#\\d+:mend\n");
    }
}
