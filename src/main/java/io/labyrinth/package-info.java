/**
 * Labyrinth: a page-frame allocator. Real pages, locked, handed out by one compare-and-set each, to one owner each.
 *
 * <p>Start at {@link io.labyrinth.Labyrinth}. Nothing here is {@code null} unless it says so.
 *
 * <p><b>The house</b> has three layers. Each knows those below it alone, and a test holds them to that:
 * <ol>
 * <li>{@code io.labyrinth}: the API, and what makes it of the layers below.
 * <li>{@code io.labyrinth.internal.os}: memory, files and processes, as the system has them.
 * <li>{@code io.labyrinth.internal.pagemap}: the words, each atomic step on them, and where a request looks.
 * </ol>
 * Two types of the first are named below it: {@link io.labyrinth.LabyrinthException}, as a refusal is made where its
 * facts are, and {@link io.labyrinth.Locking}, as the system is asked for what it says. Neither names anything itself.
 *
 * <p><b>Words.</b>
 * <ul>
 * <li><i>frame</i>: one page of memory, locked. <i>pfn</i>: its number, from 0.
 * <li><i>run</i>: 2^order adjacent frames, at a pfn that is a multiple of 2^order. <i>order</i>: 0 to 10.
 * <li><i>page word</i>: 8 bytes for each frame: state, order, flags, tenant, generation. The word of a run's first
 * frame, its <i>head</i>, says all of the run. <i>page map</i>: the table of all words.
 * <li><i>claim</i>: one compare-and-set, from FREE to an owner.
 * <li><i>owner</i>: the thread that claimed or accepted a run. With EXCLUSIVE, no other thread may touch it.
 * <li><i>generation</i>: a number in each word. It goes up when a run is freed, handed over or swept: one
 * <i>life</i> of the run ends, and a <i>handle</i> (pfn and generation) names one life.
 * <li><i>ticket</i>: a run that its owner has given away, and that nobody has accepted yet: in <i>transit</i>.
 * <li><i>reserve</i>: the last frames of a labyrinth. Only HIGH requests get them.
 * <li><i>zone</i>: the policy: where a request looks, and how far. <i>walk</i>: one search over the words.
 * <i>sprint</i>: a short walk, which ATOMIC asks for. (A labyrinth has walks; so the short one is a sprint.)
 * <li><i>group</i>: 64 frames. <i>span</i>: several groups. <i>advice</i>: a word for each: may something be free?
 * <li><i>stripe</i>: what the zone remembers for a few threads: <i>hints</i>, the runs that they freed last, and a
 * cursor.
 * <li><i>tenant</i>: a process, or one labyrinth object of it, that has a shared labyrinth open.
 * <li><i>sweep</i>: frees what threads and tenants had that have ended.
 * <li><i>orphan</i>: a run that an error left without an owner who knows of it. The next look at all words frees it.
 * <li><i>quarantined</i>: out of use: a frame whose generations are used up, or a place without a frame in a slab.
 * </ul>
 *
 * <p><b>Channels.</b> A frame's {@code ByteBuffer} is the frame itself, direct and aligned to a page
 * ({@link io.labyrinth.Frame#segment} says what it cannot do).
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
 * <p><b>Scarce frames.</b> A listener, called outside of any allocation, when few are left, and when there are enough
 * again: {@link io.labyrinth.Labyrinth#watermarks}.
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
 * <p><b>Who holds what.</b> By owner, and with the line that took it for 1 claim in N;
 * {@link io.labyrinth.Labyrinth#close}, where it is refused, says the same.
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
 * <p><b>Between JVMs.</b> A labyrinth is shared by a file below {@code /dev/shm}, or by a memfd. All who attach are
 * equals; a frame passes from one to the other as a number, and nothing is copied.
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
 * <p><b>Flight recordings.</b> Off until a recording asks for them: {@code labyrinth.jfc} in the jar does. Unpacked, it
 * is good for {@code -XX:StartFlightRecording:settings=labyrinth.jfc} and {@code jcmd PID JFR.start}, too.
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
 * <p>Recipes for arenas, slabs, Netty, Arrow, JMX, Micrometer and the map are with the classes:
 * {@link io.labyrinth.FrameArena}, {@link io.labyrinth.Slab}, {@link io.labyrinth.netty.LabyrinthByteBufAllocator},
 * {@link io.labyrinth.arrow.LabyrinthAllocation}, {@link io.labyrinth.jmx.LabyrinthBean},
 * {@link io.labyrinth.micrometer.LabyrinthMetrics}, {@link io.labyrinth.map.MapServer}.
 */
@NullMarked
package io.labyrinth;

import org.jspecify.annotations.NullMarked;
