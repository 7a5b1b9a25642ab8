package io.labyrinth.misuse;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.LabyrinthStats;
import java.io.PrintStream;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Small programs, and the main method that runs one of them, or all. Each misuses a labyrinth once, by its public
 * methods alone. The error that answers the misuse ends the program, as it would end a user's. Before that the program shows
 * that the labyrinth is whole: everything that others had is untouched, and every other frame can be allocated, once.
 */
abstract class Program {

    static final int FRAMES = 64;

    static final Gfp MINE = Gfp.ATOMIC_EXCLUSIVE;
    static final Gfp SHARED = Gfp.NOWAIT;
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    private static final List<Class<? extends Program>> ALL =
            List.of(Frees.class, Uses.class, Owners.class, Forgeries.class, Closings.class, Requests.class);

    /** Of a line between the programs of one JVM. */
    static final String BEGIN = "begin ";

    private static final long STAMP = 0x5741_4c4c_5741_4c4cL;

    final Labyrinth labyrinth = Labyrinth.builder("misused").frames(FRAMES).reserve(8).open();
    final Handles handles = labyrinth.handles();

    private final List<Frame> victims = new ArrayList<>();
    private final List<Long> victimHandles = new ArrayList<>();

    /** All programs, by name. */
    static Stream<Method> all() {
        return ALL.stream().flatMap(group -> Stream.of(group.getDeclaredMethods()))
                .filter(method -> method.isAnnotationPresent(Outcome.class));
    }

    /** {@code double_free_frame}, as the suites of other allocators write it. */
    static String name(Method program) {
        return program.getName().replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
    }

    /** Runs the program whose group and method are named; or all that need no JVM of their own, one after the other. */
    public static void main(String[] args) throws Throwable {
        if (args.length == 0) {
            for (Method program : all().filter(method -> !method.getAnnotation(Outcome.class).ownJvm()).toList()) {
                runAsIfAlone(program);
            }
        } else {
            run(Class.forName(args[0]).asSubclass(Program.class), args[1]);
        }
    }

    private static void run(Class<? extends Program> group, String name) throws Throwable {
        Program program = group.getDeclaredConstructor().newInstance();
        Throwable end = null;
        try {
            group.getDeclaredMethod(name).invoke(program);
        } catch (InvocationTargetException e) {
            end = e.getCause();
        }
        System.out.println("out=" + program.outAfterwards());
        program.giveBack();
        if (end != null) {
            throw end;
        }
    }

    /** In a thread that dies of what it throws, as a main thread does. Both streams get the program's name first. */
    private static void runAsIfAlone(Method program) throws InterruptedException {
        for (PrintStream stream : List.of(System.out, System.err)) {
            stream.println(BEGIN + name(program));
        }
        Thread main = new Thread(() -> {
            try {
                run(program.getDeclaringClass().asSubclass(Program.class), program.getName());
            } catch (Throwable e) {
                throw sneaky(e);
            }
        }, "main");
        main.start();
        main.join();
    }

    @SuppressWarnings("unchecked")
    private static <E extends Throwable> RuntimeException sneaky(Throwable e) throws E {
        throw (E) e;
    }

    /** A frame that somebody holds all the while, and that must not notice. */
    final Frame victim(Gfp gfp, int order) {
        Frame frame = labyrinth.allocPages(gfp, order);
        for (long at = 0; at < frame.byteSize(); at += Long.BYTES) {
            frame.segment().set(LONG, at, STAMP + at);
        }
        victims.add(frame);
        return frame;
    }

    final Frame victim() {
        return victim(MINE, 0);
    }

    /** The same for the raw face. */
    final long victimHandle(Gfp gfp, int order) {
        long handle = handles.alloc(gfp, order);
        for (long at = 0; at < handles.byteSize(handle); at += Long.BYTES) {
            handles.putLong(handle, at, STAMP + at);
        }
        victimHandles.add(handle);
        return handle;
    }

    /** What a handle is made of is public: a program can put one together for any frame. */
    static long handleOf(Frame frame) {
        return frame.generation() << 24 | frame.pfn();
    }

    /** In another thread, while this one waits. What it dies of, this one does. */
    static void elsewhere(Runnable action) throws Throwable {
        in(Thread.ofPlatform(), action);
    }

    static void inVirtualThread(Runnable action) throws Throwable {
        in(Thread.ofVirtual(), action);
    }

    private static void in(Thread.Builder builder, Runnable action) throws Throwable {
        List<Throwable> end = new ArrayList<>();
        builder.start(() -> {
            try {
                action.run();
            } catch (Throwable e) {
                end.add(e);
            }
        }).join();
        if (!end.isEmpty()) {
            throw end.getFirst();
        }
    }

    static void mustBe(boolean so, String what) {
        if (!so) {
            throw new AssertionError(what);
        }
    }

    private int outAfterwards() {
        if (isClosed()) {
            return -1;
        }
        labyrinth.validate();
        for (Frame victim : victims) {
            for (long at = 0; at < victim.byteSize(); at += Long.BYTES) {
                mustBe(victim.segment().get(LONG, at) == STAMP + at, victim + " was written to at " + at);
            }
            victim.close();
        }
        for (long victim : victimHandles) {
            for (long at = 0; at < handles.byteSize(victim); at += Long.BYTES) {
                mustBe(handles.getLong(victim, at) == STAMP + at, "pfn=" + handles.pfn(victim) + " was written to");
            }
            handles.free(victim);
        }
        LabyrinthStats stats = labyrinth.stats();
        int out = stats.claimed() + stats.inTransit();
        everyOtherFrameCanBeHadOnce(FRAMES - out);
        labyrinth.validate();
        return out;
    }

    /** The next program of this JVM may lock as much as this one did. */
    private void giveBack() {
        try {
            labyrinth.closeNow();
        } catch (LabyrinthException.FramesOut inUse) {
            // By a thread that still uses a segment.
        }
    }

    private boolean isClosed() {
        try {
            labyrinth.stats();
            return false;
        } catch (LabyrinthException.Closed e) {
            return true;
        }
    }

    private void everyOtherFrameCanBeHadOnce(int expected) {
        List<Frame> all = new ArrayList<>();
        Set<Integer> pfns = new HashSet<>();
        Gfp any = Gfp.HIGH.with(Gfp.EXCLUSIVE).with(Gfp.NOWARN);
        for (Frame frame = labyrinth.allocPage(any); frame != null; frame = labyrinth.allocPage(any)) {
            all.add(frame);
            pfns.add(frame.pfn());
        }
        mustBe(all.size() == expected && pfns.size() == expected, "had " + all.size() + " frames, of them different "
                + pfns.size() + ", not " + expected);
        all.forEach(Frame::close);
    }
}
