package io.labyrinth.map;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.Locking;
import io.labyrinth.Ticket;
import io.labyrinth.internal.os.Machine;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Text, image and data show the labyrinth as it is, by each of what the colours can tell. */
class MapPictureTest {

    private static final Gfp EXCLUSIVE = Gfp.NOWAIT.with(Gfp.EXCLUSIVE);

    private static Labyrinth open(String name, int frames, int reserve) {
        return Labyrinth.builder(name).frames(frames).reserve(reserve).locking(Locking.NONE).open();
    }

    private static String text(Labyrinth labyrinth, ColorBy by) {
        return new MapWatch(labyrinth::map).look().text(by, false);
    }

    /** So many frames, one by one, in pfn order. */
    private static List<Frame> taken(Labyrinth labyrinth, int frames) {
        List<Frame> taken = new ArrayList<>();
        for (int i = 0; i < frames; i++) {
            taken.add(labyrinth.allocPage(EXCLUSIVE));
        }
        taken.sort((one, other) -> Integer.compare(one.pfn(), other.pfn()));
        return taken;
    }

    @Test
    void theTextShowsEachState() {
        try (Labyrinth labyrinth = open("text", 40, 8)) {
            List<Frame> all = taken(labyrinth, 32);
            all.subList(8, 32).forEach(Frame::close);
            Frame shared = labyrinth.allocPages(Gfp.NOWAIT, 3);
            Ticket ticket = labyrinth.allocPages(EXCLUSIVE, 2).handOff();
            List<String> cells = new ArrayList<>(List.of("E", ".", ".", ".", "r"));
            cells.set(shared.pfn() / 8, "S");
            cells.set(ticket.pfn() / 8, "T");

            assertThat(text(labyrinth, ColorBy.STATE)).isEqualTo("""
                    labyrinth text, 40 frames of %s: 12 free, 8 free in the reserve of 8, 20 out
                    largest that can be had: order 3, 8 frames, %s; 1 of these
                    free but too small for order  0:0%%  1:0%%  2:0%%  3:33%%  4:100%%  5:100%%  6:100%%  7:100%%  \
                    8:100%%  9:100%%  10:100%%
                             0 %s
                    by state; a line has 512 frames, a cell 8 of them; free frames aside, a cell shows what most of \
                    its frames are; a small letter: less than half are out
                      .         12  free
                      r          8  free in the reserve
                      T          4  in transit
                      E          8  exclusive
                      S          8  shared
                    """.formatted(Machine.bytes(labyrinth.frameSize()), Machine.bytes(8 * labyrinth.frameSize()),
                    String.join("", cells)));
            ticket.accept().close();
            shared.close();
            all.subList(0, 8).forEach(Frame::close);
            labyrinth.validate();
        }
    }

    @Test
    void aCellNeverHidesWhatIsOut() {
        try (Labyrinth labyrinth = open("large", 1 << 15, 0)) {
            Frame one = labyrinth.allocPage(EXCLUSIVE);
            MapPicture picture = new MapWatch(labyrinth::map).look();

            String text = picture.text(ColorBy.STATE, false);

            // 32 lines at most, so 16 frames a cell; in the data each has its own.
            assertThat(text).contains("a cell 16 of them").containsPattern("\\n +\\d+ [.]*e[.]*\\n");
            assertThat(text.lines().filter(line -> line.matches(" +\\d+ [.e]{64}"))).hasSize(32);
            JsonObject data = JsonParser.parseString(picture.json(ColorBy.STATE)).getAsJsonObject();
            assertThat(data.get("framesPerCell").getAsInt()).isEqualTo(1);
            assertThat(shares(data).stream().filter(share -> share > 0)).containsExactly(255);
            assertThat(shares(data).get(one.pfn())).isEqualTo(255);
            one.close();
            labyrinth.validate();
        }
    }

    /** One number a cell: what is not free of 255. */
    private static List<Integer> shares(JsonObject data) {
        JsonArray cells = data.getAsJsonArray("cells");
        List<Integer> shares = new ArrayList<>();
        for (int i = 0; i < cells.size(); i += 4) {
            for (int n = cells.get(i).getAsInt(); n > 0; n--) {
                shares.add(cells.get(i + 3).getAsInt());
            }
        }
        return shares;
    }

    @Test
    void aCellShowsWhatMostOfItIs() {
        try (Labyrinth labyrinth = open("most", 64, 0)) {
            List<Frame> mine = taken(labyrinth, 64);
            mine.stream().filter(frame -> frame.pfn() % 8 > 2).forEach(Frame::close);
            List<Frame> shared = new ArrayList<>();
            for (int i = 0; i < 32; i++) {
                shared.add(labyrinth.allocPage(Gfp.NOWAIT));
            }
            shared.forEach(frame -> {
                if (frame.pfn() % 8 == 7) {
                    frame.close();
                }
            });
            // Of each 8 frames 3 are exclusive, and 2 to 5 shared.
            String picture = labyrinth.picture();
            String expected = IntStream.range(0, 8).mapToObj(cell -> {
                String part = picture.substring(cell * 8, cell * 8 + 8);
                long e = part.chars().filter(c -> c == 'E').count();
                long s = part.chars().filter(c -> c == 'S').count();
                String sign = s > e ? "S" : "E";
                return e + s < 4 ? sign.toLowerCase(Locale.ROOT) : sign;
            }).collect(Collectors.joining());

            assertThat(text(labyrinth, ColorBy.STATE)).contains("\n         0 " + expected + "\n");
            assertThat(expected).contains("S");
            assertThat(labyrinth.closeNow()).isPositive();
        }
    }

    @ParameterizedTest
    @EnumSource
    void onlyWhatIsToldToBeColouredIsColoured(ColorBy by) {
        try (Labyrinth labyrinth = open("colour", 64, 8)) {
            labyrinth.allocPages(EXCLUSIVE, 4);
            MapPicture picture = new MapWatch(labyrinth::map).look();

            String plain = picture.text(by, false);
            String coloured = picture.text(by, true);

            assertThat(plain).doesNotContain("\033");
            assertThat(coloured.replaceAll("\033\\[(0|48;5;\\d+;(30|97))m", "")).isEqualTo(plain);
            assertThat(coloured).containsPattern("\033\\[48;5;\\d+;(30|97)m.\033\\[0m");
            assertThat(labyrinth.closeNow()).isEqualTo(1);
        }
    }

    @Test
    void aCountAndItsNounAgree() {
        try (Labyrinth labyrinth = open("one", 1, 0)) {
            assertThat(text(labyrinth, ColorBy.STATE)).contains("labyrinth one, 1 frame of ", "order 0, 1 frame, ");
            labyrinth.validate();
        }
        assertThat(MapPicture.count(0, "other owner")).isEqualTo("0 other owners");
        assertThat(MapPicture.count(1, "other owner")).isEqualTo("1 other owner");
        assertThat(MapPicture.count(1_024, "frame")).isEqualTo("1,024 frames");
    }

    @Test
    void byOwnerTheLargestHaveALetterOfTheirOwn() throws InterruptedException {
        try (Labyrinth labyrinth = open("owners", 512, 0)) {
            CountDownLatch taken = new CountDownLatch(14);
            CountDownLatch over = new CountDownLatch(1);
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 14; i++) {
                int frames = 16 - i;
                threads.add(Thread.ofPlatform().start(() -> {
                    List<Frame> mine = taken(labyrinth, frames);
                    taken.countDown();
                    try {
                        over.await();
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                    mine.forEach(Frame::close);
                }));
            }
            taken.await();
            Frame shared = labyrinth.allocPages(Gfp.NOWAIT, 5);
            try {
                String text = text(labyrinth, ColorBy.OWNER);
                assertThat(text).contains("  A         32  shared, claimed by thread "
                        + Thread.currentThread().threadId() + "\n", "  +         12  3 other owners\n");
                for (int i = 0; i < 11; i++) {
                    assertThat(text).contains("  %c         %2d  thread %d\n".formatted('B' + i, 16 - i,
                            threads.get(i).threadId()));
                }
            } finally {
                over.countDown();
                for (Thread thread : threads) {
                    thread.join();
                }
            }
            shared.close();
            labyrinth.validate();
        }
    }

    @Test
    void byOrderAndByLives() {
        try (Labyrinth labyrinth = open("orders", 64, 0)) {
            for (int i = 0; i < 120; i++) {
                labyrinth.allocPages(EXCLUSIVE, 3).close();
            }
            Frame busy = labyrinth.allocPages(EXCLUSIVE, 3);
            Frame fresh = labyrinth.allocPages(EXCLUSIVE, 4);

            assertThat(text(labyrinth, ColorBy.ORDER)).contains("  3          8  order 3\n",
                    "  4         16  order 4\n", "  .         40  free\n");
            assertThat(text(labyrinth, ColorBy.LIVES)).contains("  3          8  100 or more\n",
                    "  0         56  no life ended\n");
            busy.close();
            fresh.close();
            labyrinth.validate();
        }
    }

    @Test
    void anAgeIsWhatTheLooksHaveSeenAndEndsWithTheLife() {
        AtomicLong clock = new AtomicLong(Long.MAX_VALUE - 5);    // nanoTime may wrap
        try (Labyrinth labyrinth = open("ages", 64, 0)) {
            Frame kept = labyrinth.allocPages(EXCLUSIVE, 4);
            Frame replaced = labyrinth.allocPages(EXCLUSIVE, 3);
            MapWatch watch = new MapWatch(labyrinth::map, clock::get);
            assertThat(watch.look().text(ColorBy.AGE, false)).contains("  0         24  seen for less than 1 s\n");

            clock.addAndGet(TimeUnit.SECONDS.toNanos(9));
            assertThat(watch.look().text(ColorBy.AGE, false)).contains("  1         24  1 s or more\n");
            int pfn = replaced.pfn();
            replaced.close();
            replaced = labyrinth.allocPages(EXCLUSIVE, 3);
            assertThat(replaced.pfn()).isEqualTo(pfn);
            Frame late = labyrinth.allocPage(Gfp.NOWAIT);
            clock.addAndGet(TimeUnit.SECONDS.toNanos(2));
            assertThat(watch.look().text(ColorBy.AGE, false)).contains("  2         16  10 s or more\n",
                    "  0          9  seen for less than 1 s\n", "  .         39  free\n");

            clock.addAndGet(TimeUnit.DAYS.toNanos(2));
            assertThat(watch.look().text(ColorBy.AGE, false)).contains("  6         25  1 day or more\n");
            kept.close();
            replaced.close();
            late.close();
            labyrinth.validate();
        }
    }

    @Test
    void theImageHasEachFrameInItsPlace() throws Exception {
        try (Labyrinth labyrinth = open("image", 1024, 64)) {
            Frame mine = labyrinth.allocPages(EXCLUSIVE, 3);
            Frame shared = labyrinth.allocPages(Gfp.NOWAIT, 9);

            Image image = Image.of(new MapWatch(labyrinth::map).look().png(ColorBy.STATE));

            String picture = labyrinth.picture();
            for (int pfn = 0; pfn < 1024; pfn++) {
                int expected = switch (picture.charAt(pfn)) {
                    case 'E' -> 0x2a6fc9;
                    case 'S' -> 0x1f9e6e;
                    case 'r' -> 0xf3dfb3;
                    default -> 0xe3e6ea;
                };
                int x = 16 + 72 + pfn % 512 * 2;
                int y = 16 + 5 * 18 + pfn / 512 * 40;
                assertThat(image.rgb(x, y)).as("pfn %s", pfn).isEqualTo(expected);
                assertThat(image.rgb(x + 1, y + 38)).isEqualTo(expected);
                assertThat(image.rgb(x, y + 39)).isEqualTo(0xffffff);
            }
            mine.close();
            shared.close();
            labyrinth.validate();
        }
    }

    @ParameterizedTest
    @EnumSource
    void theDataCoversEachFrameOnce(ColorBy by) {
        try (Labyrinth labyrinth = open("data", 70_000, 100)) {
            Frame frame = labyrinth.allocPages(EXCLUSIVE, 10);

            JsonObject data = JsonParser.parseString(new MapWatch(labyrinth::map).look().json(by)).getAsJsonObject();

            assertThat(data.get("by").getAsString()).isEqualTo(by.name());
            assertThat(data.get("framesPerCell").getAsInt()).isEqualTo(2);
            assertThat(shares(data)).hasSize(35_000);
            long frames = 0;
            for (var entry : data.getAsJsonArray("legend")) {
                frames += entry.getAsJsonObject().get("frames").getAsLong();
            }
            assertThat(frames).isEqualTo(70_000);
            assertThat(data.get("largestOrder").getAsInt()).isEqualTo(10);
            frame.close();
            labyrinth.validate();
        }
    }

    @Test
    void aHostileNameIsOnlyText() {
        try (Labyrinth labyrinth = open("</script>\033[31m\n\"\\\u009b\u00e9", 8, 0)) {
            MapPicture picture = new MapWatch(labyrinth::map).look();

            assertThat(picture.text(ColorBy.STATE, false)).startsWith("labyrinth </script>?[31m?\"\\?\u00e9, 8 frames");
            String json = picture.json(ColorBy.STATE);
            assertThat(json).doesNotContain("<", ">", "&").matches("[ -~]+");
            assertThat(JsonParser.parseString(json).getAsJsonObject().get("name").getAsString())
                    .isEqualTo("</script>?[31m?\"\\?\u00e9");
            labyrinth.validate();
        }
    }
}
