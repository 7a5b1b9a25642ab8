package io.labyrinth.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A stress finds nothing if nothing is wrong, and finds what is wrong. */
class StressTest {

    @TempDir
    Path folder;

    @Test
    void endsWellAndCountsWhatItDid() throws IOException, InterruptedException {
        Cli.Result result = new Cli(folder).run("stress", "--seconds", "2", "--seed", "5", "--json", "report");
        assertThat(result.err()).contains("no violation", "caused by frames: 0,").doesNotContain("Exception", "WARN");
        assertThat(result.code()).isZero();
        JsonObject report = JsonParser.parseString(Files.readString(folder.resolve("report"))).getAsJsonObject();
        JsonObject work = report.getAsJsonObject("work");
        for (String kind : new String[] {"allocations", "frees", "handOvers", "passedOnAsTheyWere",
                "lateUsesRefused"}) {
            assertThat(work.get(kind).getAsLong()).as(kind).isPositive();
        }
        assertThat(work.get("allocations")).isEqualTo(work.get("frees"));
        assertThat(report.getAsJsonObject("allocation").get("reserveHitsApprox").getAsLong()).isPositive();
        assertThat(report.getAsJsonObject("pageFaults").get("causedByFrames").getAsLong()).isZero();
        assertThat(report.getAsJsonObject("pageFaults").get("watchedPages").getAsLong()).isGreaterThanOrEqualTo(1536);
        assertThat(report.getAsJsonArray("picture").get(2).getAsString()).hasSize(512).matches("[.rEST]+");
    }

    @Test
    void endsWellWithOneThreadAndOneFrame() throws IOException, InterruptedException {
        Cli.Result result = new Cli(folder).run("stress", "--seconds", "1", "--threads", "1", "--frames", "1");
        assertThat(result.err()).contains("no violation");
        assertThat(result.code()).isZero();
    }

    /** Somebody writes 8 bytes to a frame of somebody else now and then, around all checks. */
    @Test
    void findsAFrameThatSomebodyElseWroteTo() throws Exception {
        Labyrinth labyrinth = Labyrinth.builder("stress").frames(64).open();
        MemorySegment memory;
        try (Frame frame = labyrinth.allocPages(Gfp.NOWAIT, 6)) {
            memory = frame.segment();
        }
        AtomicBoolean found = new AtomicBoolean();
        Thread rogue = Thread.ofPlatform().start(() -> {
            while (!found.get()) {
                long at = ThreadLocalRandom.current().nextLong(memory.byteSize() / Long.BYTES) * Long.BYTES;
                memory.set(ValueLayout.JAVA_LONG, at, 1);
                Thread.yield();
            }
        });
        try (Progress progress = new Progress("stress", " s", 1, false)) {
            Stress stress = new Stress(labyrinth, 2, 60, 1);
            assertThatThrownBy(() -> stress.run(progress)).isInstanceOf(Violation.class)
                    .hasMessageMatching("frame .* was overwritten: expected worker=.*"
                            + "|frame .* is not zero, although .*");
        } finally {
            found.set(true);
            rogue.join();
        }
        assertThat(labyrinth.closeNow()).isPositive();
    }

    @Test
    void aStampTellsWhoseItIs() {
        assertThat(Stamp.describe(Stamp.of(1023, 77, 5))).isEqualTo("worker=1023 generation=77 stamp=5");
        MemorySegment run = MemorySegment.ofArray(new long[512]);
        Stamp.write(run, Stamp.of(3, 4, 5));
        assertThat(Stamp.isOn(run, Stamp.of(3, 4, 5))).isTrue();
        for (long at : new long[] {0, 8, 4088}) {
            Stamp.write(run, Stamp.of(3, 4, 5));
            run.set(ValueLayout.JAVA_LONG_UNALIGNED, at, Stamp.of(6, 7, 8) ^ at / 8);
            assertThat(Stamp.isOn(run, Stamp.of(3, 4, 5))).isFalse();
            assertThat(Stamp.difference(run, Stamp.of(3, 4, 5)))
                    .isEqualTo("expected worker=3 generation=4 stamp=5, found"
                    + " worker=6 generation=7 stamp=8 at offset=" + at);
        }
        assertThat(Stamp.isZero(run)).isFalse();
    }
}
