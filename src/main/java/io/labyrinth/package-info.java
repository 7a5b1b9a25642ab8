/**
 * Labyrinth: a page-frame allocator. Real pages, locked, handed out by one compare-and-set each, to one owner each.
 *
 * <p>Start at {@link io.labyrinth.Labyrinth}. Nothing here is {@code null} unless it says so.
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
