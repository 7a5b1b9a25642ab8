package io.labyrinth.jmx;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.LabyrinthStats;
import io.labyrinth.Owner;
import java.lang.management.ManagementFactory;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;
import javax.management.InstanceAlreadyExistsException;
import javax.management.InstanceNotFoundException;
import javax.management.JMException;
import javax.management.MalformedObjectNameException;
import javax.management.ObjectName;
import javax.management.StandardMBean;

/**
 * A labyrinth's bean. Until it is closed, it stands in the platform's MBean server as
 * {@code io.labyrinth:type=Labyrinth,name=...}, and keeps the labyrinth reachable.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("net-rx").frames(1024).open();
 *         LabyrinthBean bean = LabyrinthBean.register(labyrinth)) {                   // jconsole shows it, say
 *     MBeanServer server = ManagementFactory.getPlatformMBeanServer();
 *     System.out.println(server.getAttribute(bean.getObjectName(), "FreeFrames"));    // 1024
 * }
 * }
 */
public final class LabyrinthBean implements LabyrinthMXBean, AutoCloseable {

    private final Labyrinth labyrinth;
    private final ObjectName name;

    private LabyrinthBean(Labyrinth labyrinth) {
        this.labyrinth = labyrinth;
        this.name = nameOf(labyrinth);
    }

    private static ObjectName nameOf(Labyrinth labyrinth) {
        String name = labyrinth.name();
        try {
            return new ObjectName("io.labyrinth:type=Labyrinth,name="
                    + (name.matches("[\\w. /-]+") ? name : ObjectName.quote(name)));
        } catch (MalformedObjectNameException e) {
            throw new IllegalStateException("name=" + name, e);
        }
    }

    /**
     * Registers a bean for this labyrinth.
     *
     * @throws IllegalStateException if there is a bean of that name: close that bean first, or give the labyrinths
     *                               different names
     */
    public static LabyrinthBean register(Labyrinth labyrinth) {
        LabyrinthBean bean = new LabyrinthBean(labyrinth);
        try {
            ManagementFactory.getPlatformMBeanServer().registerMBean(new StandardMBean(bean, LabyrinthMXBean.class,
                    true), bean.name);
        } catch (InstanceAlreadyExistsException e) {
            throw new IllegalStateException("bean=" + bean.name + " exists: close that bean first, or give the"
                    + " labyrinths different names", e);
        } catch (JMException e) {
            throw new IllegalStateException("bean=" + bean.name + " cannot be registered", e);
        }
        return bean;
    }

    /** Takes the bean out of the server. A second call does nothing. */
    @Override
    public void close() {
        try {
            ManagementFactory.getPlatformMBeanServer().unregisterMBean(name);
        } catch (InstanceNotFoundException e) {
            // Closed before.
        } catch (JMException e) {
            throw new IllegalStateException("bean=" + name + " cannot be unregistered", e);
        }
    }

    private long figure(ToLongFunction<LabyrinthStats> of) {
        try {
            return of.applyAsLong(labyrinth.stats());
        } catch (LabyrinthException.Closed e) {
            return -1;    // a client may not have this exception's class
        }
    }

    @Override
    public ObjectName getObjectName() {
        return name;
    }

    @Override
    public String getName() {
        return labyrinth.name();
    }

    @Override
    public long getCount() {
        return figure(stats -> stats.claimed() + stats.inTransit());
    }

    @Override
    public long getTotalCapacity() {
        return figure(stats -> stats.frames() * stats.frameSize());
    }

    @Override
    public long getMemoryUsed() {
        return figure(LabyrinthStats::mappedBytes);
    }

    @Override
    public long getFrames() {
        return figure(LabyrinthStats::frames);
    }

    @Override
    public long getFrameSize() {
        return figure(LabyrinthStats::frameSize);
    }

    @Override
    public long getFreeFrames() {
        return figure(LabyrinthStats::free);
    }

    @Override
    public long getReserveFreeFrames() {
        return figure(LabyrinthStats::reserveFree);
    }

    @Override
    public long getClaimedFrames() {
        return figure(LabyrinthStats::claimed);
    }

    @Override
    public long getInTransitFrames() {
        return figure(LabyrinthStats::inTransit);
    }

    @Override
    public long getQuarantinedFrames() {
        return figure(LabyrinthStats::quarantined);
    }

    @Override
    public long getLargestFreeOrder() {
        return figure(LabyrinthStats::largestFreeOrder);
    }

    @Override
    public long getLivesEnded() {
        return figure(LabyrinthStats::livesEnded);
    }

    @Override
    public long getRefusedApprox() {
        return figure(LabyrinthStats::refusedApprox);
    }

    @Override
    public long getReserveHitsApprox() {
        return figure(LabyrinthStats::reserveHitsApprox);
    }

    @Override
    public long getLostApprox() {
        return figure(LabyrinthStats::lostApprox);
    }

    @Override
    public long getLockedBytes() {
        return figure(LabyrinthStats::lockedBytes);
    }

    @Override
    public String describeOwners() {
        try {
            return labyrinth.owners().stream().map(Owner::toString).collect(Collectors.joining("\n"));
        } catch (LabyrinthException.Closed e) {
            return "";
        }
    }

    @Override
    public long sweepDeadOwners() {
        try {
            return labyrinth.sweepDeadOwners();
        } catch (LabyrinthException.Closed e) {
            return -1;
        }
    }
}
