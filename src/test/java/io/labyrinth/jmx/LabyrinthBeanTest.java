package io.labyrinth.jmx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthStats;
import io.labyrinth.Locking;
import io.labyrinth.Ticket;
import java.lang.management.ManagementFactory;
import java.util.HashMap;
import java.util.Map;
import javax.management.Attribute;
import javax.management.JMException;
import javax.management.JMX;
import javax.management.MBeanAttributeInfo;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a management client sees of a labyrinth. */
class LabyrinthBeanTest {

    private static final MBeanServer SERVER = ManagementFactory.getPlatformMBeanServer();

    private static Labyrinth open(String name) {
        return Labyrinth.builder(name).frames(100).reserve(10).sampleClaims(1).locking(Locking.PREFERRED).open();
    }

    private static Map<String, Object> attributes(ObjectName name) throws JMException {
        Map<String, Object> all = new HashMap<>();
        for (MBeanAttributeInfo info : SERVER.getMBeanInfo(name).getAttributes()) {
            assertThat(info.isWritable()).isFalse();
            all.put(info.getName(), SERVER.getAttribute(name, info.getName()));
        }
        return all;
    }

    @Test
    void attributesAreTheFiguresOfTheLabyrinth() throws JMException {
        try (Labyrinth labyrinth = open("jmx"); LabyrinthBean bean = LabyrinthBean.register(labyrinth)) {
            Frame frame = labyrinth.allocPages(Gfp.NOWAIT, 2);
            Ticket ticket = labyrinth.allocPage(Gfp.HIGH.with(Gfp.EXCLUSIVE)).handOff();
            labyrinth.allocPages(Gfp.NOWAIT, 10);
            ObjectName name = new ObjectName("io.labyrinth:type=Labyrinth,name=jmx");
            LabyrinthStats stats = labyrinth.stats();

            assertThat(bean.getObjectName()).isEqualTo(name);
            Map<String, Object> expected = new HashMap<>(Map.of("Name", "jmx", "Count", 5L, "Frames", 100L,
                    "FrameSize", labyrinth.frameSize(), "FreeFrames", 85L, "ReserveFreeFrames", 10L,
                    "ClaimedFrames", 4L, "InTransitFrames", 1L, "QuarantinedFrames", 0L, "RefusedApprox", 1L));
            expected.putAll(Map.of("TotalCapacity", 100 * labyrinth.frameSize(), "MemoryUsed", stats.mappedBytes(),
                    "LockedBytes", stats.lockedBytes(), "LivesEnded", stats.livesEnded(), "ReserveHitsApprox", 0L,
                    "LostApprox", stats.lostApprox(), "LargestFreeOrder", (long) stats.largestFreeOrder(),
                    "ObjectName", name));
            assertThat(attributes(name)).isEqualTo(expected);

            frame.close();
            ticket.accept().close();
            labyrinth.validate();
        }
    }

    @Test
    void operationsTellTheOwnersAndSweep() throws JMException, InterruptedException {
        try (Labyrinth labyrinth = open("jmx"); LabyrinthBean bean = LabyrinthBean.register(labyrinth)) {
            LabyrinthMXBean client = JMX.newMXBeanProxy(SERVER, bean.getObjectName(), LabyrinthMXBean.class);
            assertThat(client.describeOwners()).isEmpty();
            Thread thread = Thread.ofPlatform().start(() -> labyrinth.allocPages(Gfp.ATOMIC_EXCLUSIVE, 1));
            thread.join();

            assertThat(client.describeOwners()).startsWith("EXCLUSIVE thread=" + thread.threadId() + " runs=1 frames=2")
                    .contains("sampled=1", "LabyrinthBeanTest.");
            assertThat(client.sweepDeadOwners()).isEqualTo(2);
            assertThat(client.sweepDeadOwners()).isZero();
            labyrinth.validate();
        }
    }

    /** A client need not have the library's exceptions. */
    @Test
    void aClosedLabyrinthHasNoFigures() throws JMException {
        Labyrinth labyrinth = open("jmx");
        try (LabyrinthBean bean = LabyrinthBean.register(labyrinth)) {
            labyrinth.validate();
            labyrinth.close();
            Map<String, Object> all = attributes(bean.getObjectName());
            assertThat(all.remove("Name")).isEqualTo("jmx");
            assertThat(all.remove("ObjectName")).isEqualTo(bean.getObjectName());
            assertThat(all).hasSize(16).allSatisfy((key, value) -> assertThat(value).as(key).isEqualTo(-1L));
            assertThat(bean.describeOwners()).isEmpty();
            assertThat(bean.sweepDeadOwners()).isEqualTo(-1);
        }
    }

    @Test
    void aNameIsTakenUntilItsBeanIsClosed() {
        try (Labyrinth labyrinth = open("jmx")) {
            LabyrinthBean bean = LabyrinthBean.register(labyrinth);
            assertThatThrownBy(() -> LabyrinthBean.register(labyrinth)).isInstanceOf(IllegalStateException.class)
                    .hasMessageContainingAll("bean=io.labyrinth:type=Labyrinth,name=jmx exists",
                            "close that bean first");
            bean.close();
            bean.close();
            assertThat(SERVER.isRegistered(bean.getObjectName())).isFalse();
            LabyrinthBean.register(labyrinth).close();
            labyrinth.validate();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"a,b=c:d", "*", "a\"b", "", "line\nline", "net-rx 1/2"})
    void anyNameMakesABean(String name) throws JMException {
        try (Labyrinth labyrinth = open(name); LabyrinthBean bean = LabyrinthBean.register(labyrinth)) {
            assertThat(SERVER.getAttributes(bean.getObjectName(), new String[] {"Name"}))
                    .containsExactly(new Attribute("Name", name));
            labyrinth.validate();
        }
    }
}
