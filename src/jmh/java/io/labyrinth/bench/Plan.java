package io.labyrinth.bench;

import io.labyrinth.bench.Job.Measure;
import io.labyrinth.bench.Job.Pace;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * What is run, in which order. A group is what is compared: its jobs run one after the other, round after round, so
 * that a change of the machine's mood falls on all of them.
 *
 * @param name of the group
 * @param pace of each of its jobs
 * @param jobs in the order of a round
 */
record Plan(String name, Pace pace, List<Job> jobs) {

    static final String PAIR = "pair";
    static final String IN_FLIGHT = "in-flight";
    static final String IN_FLIGHT_16 = "in-flight-16";
    static final String ARENA = "arena";
    static final String LARGE = "large";
    static final String THREADS = "threads";
    static final String BURST = "burst";
    static final String REPLACE = "replace";
    static final String PASS_ON = "pass-on";
    static final String SIZES = "sizes";
    static final String VIRTUAL = "virtual";
    static final String BYTES = "bytes";
    static final String OTHERS = "others";
    static final String SLAB = "slab";
    static final String MATRIX = "matrix";

    static final Job CAS_LIMIT = Job.of("PairBench.casLimit");
    static final Job HANDLE = Job.of("PairBench.handlePair");
    static final Job FRAME = Job.of("PairBench.framePair");
    static final Job MALLOC = Job.of("PeerBench.malloc");
    static final Job ARENA_CONFINED = Job.of("PeerBench.arenaConfined");
    static final Job NETTY_POOLED = Job.of("NettyBench.pooled");
    static final Job NETTY_ADAPTIVE = Job.of("NettyBench.adaptive");
    /** Of the hand-made pools that threads can share: the fastest, and the plainest; the rest is with the others. */
    static final List<Job> POOLS = List.of(Job.of("PoolBench.mpmcArrayQueue"), Job.of("PoolBench.arrayBlockingQueue"));

    static final Job FRAME_64K = Job.of("PairBench.frameRunPair").with("order", 4);
    static final Job FRAME_2M = FRAME_64K.with("order", 9);
    static final Job NETTY_ADAPTIVE_64K = NETTY_ADAPTIVE.with("bytes", 64 << 10);
    static final Job MALLOC_2M = MALLOC.with("bytes", 2 << 20);
    static final Job MALLOC_2M_MMAPPED = MALLOC_2M.malloc(Job.MMAPPED);

    static final Job HANDLES_OF_1 = HANDLE.measure(Measure.THROUGHPUT);
    static final Job HANDLES_OF_2 = HANDLE.threads(2).measure(Measure.THROUGHPUT);
    static final Job HANDLES_OF_8 = HANDLE.threads(8).measure(Measure.THROUGHPUT);
    static final Job REPLACE_50 = Job.of("ReplaceBench.replace").with("percent", 50);
    static final Job REPLACE_99 = Job.of("ReplaceBench.replace").with("percent", 99);
    static final Job PASS_TICKET = Job.of("PassOnBench.pass").with("cargo", PassOnBench.Cargo.ticket);
    static final Job PASS_SEGMENT = Job.of("PassOnBench.pass").with("cargo", PassOnBench.Cargo.segment);
    static final Job REFUSED_NOWAIT = Job.of("RefusedBench.nowait");
    static final Job REFUSED_ATOMIC = Job.of("RefusedBench.atomic");
    static final Job SMALL = HANDLE.with("frames", 1 << 10);
    static final Job HUGE = HANDLE.with("frames", 1 << 20);
    static final List<Integer> SLAB_BYTES = List.of(64, 256, 1024);
    static final Job SLAB_HANDLE = Job.of("SlabBench.handlePair");
    static final Job SLAB_OBJECT = Job.of("SlabBench.objectPair");
    static final Job SLAB_BURST = Job.of("SlabBench.burst");
    static final Job MALLOC_BURST = Job.of("PeerBench.mallocBurst");
    static final Job NETTY_BURST = Job.of("NettyBench.adaptiveBurst");
    static final Job ARENA_OWN = Job.of("ArenaBench.labyrinth");
    static final Job ARENA_JDK = Job.of("ArenaBench.confined");
    static final Job ARENA_SLICING = Job.of("ArenaBench.slicing");
    static final Job BYTES_HANDLE = HANDLE.measure(Measure.BYTES);
    static final Job BYTES_FRAME = FRAME.measure(Measure.BYTES);

    /** Whether a figure of summary.json comes from it. */
    boolean isGoal() {
        return !Set.of(IN_FLIGHT, IN_FLIGHT_16, ARENA, OTHERS, BURST, VIRTUAL, MATRIX).contains(name);
    }

    static List<Plan> quick() {
        // As short as they can be with compilation done before the warm-up ends.
        return plans(new Pace(3, 700, 60, 6), new Pace(3, 700, 10, 40), new Pace(1, 500, 30, 6));
    }

    static List<Plan> full() {
        Pace three = new Pace(3, 1000, 100, 8);
        List<Plan> plans = new ArrayList<>(plans(three.rounds(5), new Pace(5, 1000, 20, 50), three));
        plans.add(new Plan(IN_FLIGHT_16, three, inFlight(16)));
        plans.add(new Plan(SLAB, three, slab()));
        plans.add(new Plan(MATRIX, three, matrix()));
        return plans;
    }

    /** @param together for threads that have to share the cores: long enough for each to have its turns */
    private static List<Plan> plans(Pace goals, Pace together, Pace others) {
        return List.of(
                new Plan(PAIR, goals, join(List.of(CAS_LIMIT, HANDLE, FRAME, MALLOC, ARENA_CONFINED, NETTY_POOLED,
                        NETTY_ADAPTIVE), POOLS)),
                new Plan(IN_FLIGHT, others, inFlight(256)),
                new Plan(ARENA, others, List.of(ARENA_OWN.with("segments", 1), ARENA_JDK.with("segments", 1),
                        ARENA_OWN.with("segments", 20), ARENA_SLICING.with("segments", 20),
                        ARENA_JDK.with("segments", 20))),
                new Plan(LARGE, goals, List.of(FRAME_64K, NETTY_ADAPTIVE_64K, FRAME_2M, MALLOC_2M,
                        MALLOC_2M_MMAPPED)),
                new Plan(THREADS, together, List.of(HANDLES_OF_1, HANDLES_OF_2, HANDLES_OF_8)),
                new Plan(REPLACE, goals, List.of(REPLACE_50, REPLACE_99)),
                new Plan(PASS_ON, together, List.of(PASS_SEGMENT, PASS_TICKET)),
                new Plan(SIZES, goals, List.of(SMALL, HUGE, REFUSED_NOWAIT, REFUSED_ATOMIC)),
                new Plan(BYTES, together.rounds(1), List.of(BYTES_HANDLE, BYTES_FRAME)),
                new Plan(OTHERS, others, join(
                        jobs("PairBench.handlePairWritten", "PairBench.sharedFramePair", "PeerBench.arenaShared",
                                "PeerBench.arenaAuto", "PeerBench.allocateDirect", "PeerBench.agronaAligned",
                                "PeerBench.arrow", "PoolBench.concurrentLinkedQueue", "PoolBench.directReused",
                                "PoolBench.ownArrayDeque"),
                        preloaded(),
                        List.of(Job.of("ReplaceBench.replace").with("percent", 90),
                                Job.of("ReplaceBench.pickOnly").with("percent", 99),
                                Job.of("ReplaceBench.replaceMany").with("percent", 50),
                                Job.of("ReplaceBench.replaceMany").with("percent", 99),
                                Job.of("PassOnBench.pass").with("cargo", PassOnBench.Cargo.sharedFrame),
                                Job.of("PassOnBench.pass").with("cargo", PassOnBench.Cargo.returnedSegment)))),
                new Plan(BURST, others, jobs("BurstBench.handles", "BurstBench.frames", "BurstBench.malloc",
                        "BurstBench.mpmcArrayQueue", "BurstBench.arenaConfined", "NettyBench.pooledBurst",
                        "NettyBench.adaptiveBurst")),
                new Plan(VIRTUAL, others, jobs("VirtualBench.nothing", "VirtualBench.frames", "VirtualBench.malloc",
                        "VirtualBench.mpmcArrayQueue")));
    }

    /** Buffers that stay out for a while: ours, and all peers that can do it. */
    private static List<Job> inFlight(int window) {
        return jobs("InFlightBench.handlesByVisit", "InFlightBench.handlesByAccess", "InFlightBench.frames",
                "InFlightBench.sharedFrames", "InFlightBench.malloc", "InFlightBench.mpmcArrayQueue",
                "InFlightBench.ownArrayDeque", "InFlightBench.labyrinthNetty", "InFlightBench.nettyPooled",
                "InFlightBench.nettyAdaptive").stream().map(job -> job.with("window", window)).toList();
    }

    /** Below a page: pairs and bursts. */
    private static List<Job> slab() {
        List<Job> all = new ArrayList<>();
        for (int bytes : SLAB_BYTES) {
            for (Job job : List.of(SLAB_HANDLE, SLAB_OBJECT, MALLOC, NETTY_ADAPTIVE, SLAB_BURST, MALLOC_BURST,
                    NETTY_BURST)) {
                all.add(job.with("bytes", bytes));
            }
        }
        return all;
    }

    /** Every side in every size, and in 4 KiB with 2 and 8 threads: what the groups before do not have yet. */
    private static List<Job> matrix() {
        List<Job> frames = List.of(FRAME, HANDLE);
        List<Job> runs = jobs("PairBench.frameRunPair", "PairBench.handleRunPair");
        List<Job> peers = join(List.of(MALLOC, ARENA_CONFINED, NETTY_POOLED, NETTY_ADAPTIVE),
                jobs("PeerBench.arenaShared", "PeerBench.arenaAuto", "PeerBench.allocateDirect",
                        "PeerBench.agronaAligned", "PeerBench.arrow", "PoolBench.concurrentLinkedQueue",
                        "PoolBench.directReused"), POOLS, preloaded());
        List<Job> all = new ArrayList<>();
        for (int order : List.of(4, 9)) {
            runs.forEach(job -> all.add(job.with("order", order)));
            peers.forEach(job -> all.add(job.with("bytes", 4096 << order)));
        }
        for (int threads : List.of(2, 8)) {
            join(frames, peers).forEach(job -> all.add(job.threads(threads)));
            all.add(REPLACE_99.threads(threads));
            all.add(Job.of("BurstBench.handles").threads(threads));
        }
        all.add(Job.of("PassOnBench.pass").with("cargo", PassOnBench.Cargo.rawTicket));
        all.add(Job.of("PassOnBench.pass").with("cargo", PassOnBench.Cargo.segmentAndCas));
        return all;
    }

    private static List<Job> preloaded() {
        return Stream.of("jemalloc", "mimalloc").filter(name -> Job.library(name) != null).map(MALLOC::malloc)
                .toList();
    }

    private static List<Job> jobs(String... benchmarks) {
        return Stream.of(benchmarks).map(Job::of).toList();
    }

    @SafeVarargs
    private static List<Job> join(List<Job>... lists) {
        return Stream.of(lists).flatMap(List::stream).toList();
    }
}
