/**
 * Labyrinth: a page-frame allocator. Its frames are real, locked pages. One compare-and-set gives a frame to one owner.
 *
 * <p>Start at {@link io.labyrinth.Labyrinth}. No argument and no result is {@code null}, unless it is marked so.
 *
 * <p><b>Layers.</b> There are three. Each layer knows only the layers below it; a test enforces that:
 * <ol>
 * <li>{@code io.labyrinth}: the API, and the code that builds it on the layers below.
 * <li>{@code io.labyrinth.internal.os}: memory, files and processes of the system.
 * <li>{@code io.labyrinth.internal.pagemap}: the words, each atomic step on them, and where a request looks.
 * </ol>
 * The lower layers name two types of the API: {@link io.labyrinth.LabyrinthException}, because a refusal is made where
 * its facts are, and {@link io.labyrinth.Locking}, because the layer of the system does what it says. These two name no
 * other type of the library.
 *
 * <p><b>Words.</b>
 * <ul>
 * <li><i>frame</i>: one locked page of memory. <i>pfn</i>: its number, from 0.
 * <li><i>run</i>: 2^order adjacent frames, at a pfn that is a multiple of 2^order. <i>order</i>: 0 to 10.
 * <li><i>page word</i>: 8 bytes for each frame: state, order, flags, tenant, generation. The word of a run's first
 * frame, its <i>head</i>, speaks for the whole run. <i>page map</i>: the table of all words.
 * <li><i>claim</i>: one compare-and-set, from FREE to an owner.
 * <li><i>owner</i>: the thread that claimed or accepted a run. With EXCLUSIVE, no other thread may touch it.
 * <li><i>generation</i>: a number in each word. It goes up when a run is freed, handed over or swept: one
 * life of the run ends, and a <i>handle</i> (pfn and generation) names one life.
 * <li><i>ticket</i>: the right to accept a run that its owner has handed off. Until then the run is in transit.
 * <li><i>reserve</i>: the last frames of a labyrinth. Only HIGH requests get them.
 * <li><i>zone</i>: the policy: where a request looks, and how far. <i>walk</i>: one search over the words.
 * <i>sprint</i>: the short walk of an ATOMIC request. (One walks in a labyrinth, so a short walk is a sprint.)
 * <li><i>group</i>: 64 frames. <i>span</i>: several groups. <i>advice</i>: a word for each: may something be free?
 * <li><i>stripe</i>: what the zone remembers for a few threads: <i>hints</i> (the runs that they freed last) and a
 * cursor (where the last walk ended).
 * <li><i>tenant</i>: a process that has created or attached to a shared labyrinth; once for each time it has done so.
 * <li><i>sweep</i>: frees what ended threads and dead tenants had.
 * <li><i>orphan</i>: a run that an error left without an owner who knows of it. The next pass over all words frees it.
 * <li><i>quarantined</i>: out of use: a frame whose generations are used up, or a place without a frame in a slab.
 * </ul>
 *
 * <p><b>Channels.</b> A frame's {@code ByteBuffer} is the frame itself: direct and aligned to a page. Its limits are
 * described at {@link io.labyrinth.Frame#segment}.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("io").frames(64).open();
 *         FileChannel file = FileChannel.open(Path.of("/proc/self/exe"));
 *         Frame frame = labyrinth.allocPage(Gfp.NOWAIT)) {
 *     ByteBuffer page = frame.segment().asByteBuffer();
 *     file.read(page);
 *     Pipe pipe = Pipe.open();                                         // or a SocketChannel
 *     System.out.println(pipe.sink().write(page.flip()) == labyrinth.frameSize());    // true
 * }
 * }
 *
 * <p><b>Scarce frames.</b> A listener is called when few frames are left, and again when there are enough. No request
 * waits for the listener: {@link io.labyrinth.Labyrinth#watermarks}.
 *
 * {@snippet :
 * var told = new LinkedBlockingQueue<Watermarks.Mark>();
 * try (Labyrinth labyrinth = Labyrinth.builder("net-rx").frames(32).open();
 *         Watermarks looks = labyrinth.watermarks(0, 16, Duration.ofMillis(10), (mark, stats) -> told.add(mark));
 *         Frame all = labyrinth.allocPages(Gfp.NOWAIT, 5)) {
 *     System.out.println(told.take());                                 // LOW
 * }
 * }
 *
 * <p><b>Who holds what.</b> {@link io.labyrinth.Labyrinth#owners} lists the owners and what each holds. For 1 claim in
 * N it also shows the line of code that claimed. A refused {@link io.labyrinth.Labyrinth#close} says the same.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("net-rx").frames(64).sampleClaims(1).open();
 *         Frame leak = labyrinth.allocPages(Gfp.NOWAIT, 2)) {
 *     Owner owner = labyrinth.owners().getFirst();
 *     System.out.println(owner.holding() + " frames=" + owner.frames());          // SHARED frames=4
 *     System.out.println(owner.sampled().getFirst().where().getFirst().getFileName());    // Recipes.java
 * }
 * }
 *
 * <p><b>Between JVMs.</b> A labyrinth is shared by a file below {@code /dev/shm}, or by a memfd. All processes that
 * attach have the same rights. A frame passes from one process to another as a number, and nothing is copied.
 *
 * {@snippet :
 * try (Labyrinth ours = Labyrinth.builder("shared").frames(256).memfd().open();
 *         Labyrinth theirs = Labyrinth.attach(ours.sharedPath())) {                // in another JVM
 *     Frame given = ours.allocPage(Gfp.ATOMIC_EXCLUSIVE);
 *     given.segment().set(ValueLayout.JAVA_LONG, 0, 42L);
 *     long ticket = given.handOff().handle();                                      // 8 bytes, by any pipe
 *     try (Frame accepted = theirs.accept(ticket)) {
 *         System.out.println(accepted.segment().get(ValueLayout.JAVA_LONG, 0));    // 42
 *     }
 * }
 * }
 *
 * <p><b>Flight recordings.</b> The events are off until a recording asks for them. The settings {@code labyrinth.jfc}
 * in the jar ask for all of them. A copy of that file also works with
 * {@code -XX:StartFlightRecording:settings=labyrinth.jfc} and with {@code jcmd PID JFR.start}.
 *
 * {@snippet :
 * try (var jfc = new InputStreamReader(Labyrinth.class.getResourceAsStream("/labyrinth.jfc"));
 *         var events = new RecordingStream(Configuration.create(jfc))) {
 *     events.onEvent("io.labyrinth.RegionOpened", event -> {
 *         System.out.println(event.getInt("frames"));                  // 256
 *     });
 *     events.startAsync();
 *     Labyrinth.builder("net-rx").frames(256).open().close();
 *     events.stop();
 * }
 * }
 *
 * <p>Examples for arenas, slabs, Netty, Arrow, JMX, Micrometer and the map are with the classes:
 * {@link io.labyrinth.FrameArena}, {@link io.labyrinth.Slab}, {@link io.labyrinth.netty.LabyrinthByteBufAllocator},
 * {@link io.labyrinth.arrow.LabyrinthAllocation}, {@link io.labyrinth.jmx.LabyrinthBean},
 * {@link io.labyrinth.micrometer.LabyrinthMetrics}, {@link io.labyrinth.map.MapServer}.
 */
@NullMarked
package io.labyrinth;

import org.jspecify.annotations.NullMarked;
