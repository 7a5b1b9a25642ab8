package io.labyrinth.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What befalls a file between its first read and its last: the labyrinth has one frame, so the reader stops after it.
 */
class PairTest {

    private static final int SIZE = 3 * 4096;

    @TempDir
    Path folder;

    private interface Event {
        void befall(Path file) throws Exception;
    }

    private Found.Outcome readWhile(Event event) throws Exception {
        Path file = Files.write(folder.resolve("file"), new byte[SIZE]);
        BlockingQueue<Found> files = new LinkedBlockingQueue<>();
        Found found = new Found("file", file);
        files.add(found);
        files.add(Found.END);
        Crew crew = new Crew();
        try (Labyrinth labyrinth = Labyrinth.builder("pair").frames(1).open();
                Pair pair = new Pair(labyrinth, Gfp.NOWAIT.with(Gfp.EXCLUSIVE).with(Gfp.NOWARN), 0,
                        new FrameReturns())) {
            crew.start("reader", () -> pair.read(files, () -> { }));
            while (labyrinth.stats().inTransit() == 0) {
                Thread.sleep(1);
            }
            event.befall(file);
            crew.start("hasher", pair::hash);
            Found.Outcome outcome = found.outcome().get();
            crew.join();
            assertThat(pair.meter().runs).isLessThanOrEqualTo(SIZE / 4096);
            assertThat(pair.meter().nulls).isPositive();
            labyrinth.validate();
            return outcome;
        }
    }

    @Test
    void nullIsWaitedOutAndNeverAnError() throws Exception {
        Found.Outcome outcome = readWhile(file -> { });
        assertThat(outcome.failure()).isNull();
        assertThat(outcome.bytes()).isEqualTo(SIZE);
    }

    @Test
    void aFileThatGrowsIsReadToTheSizeItHadAndFails() throws Exception {
        Found.Outcome outcome = readWhile(file -> Files.write(file, new byte[SIZE], StandardOpenOption.APPEND));
        assertThat(outcome.failure()).isEqualTo("changed while it was read: size=12288, then size=24576");
        assertThat(outcome.sum()).isNull();
        assertThat(outcome.bytes()).isEqualTo(SIZE);
    }

    @Test
    void aFileThatIsCutFails() throws Exception {
        Found.Outcome outcome = readWhile(file -> Files.write(file, new byte[1]));
        assertThat(outcome.failure()).isEqualTo("changed while it was read: size=12288, then size=1");
        assertThat(outcome.sum()).isNull();
    }

    @Test
    void aFileThatVanishesFails() throws Exception {
        Found.Outcome outcome = readWhile(Files::delete);
        assertThat(outcome.failure()).isEqualTo("vanished while it was read");
        assertThat(outcome.sum()).isNull();
    }

    @Test
    void aFileThatIsReplacedFails() throws Exception {
        Found.Outcome outcome = readWhile(file -> {
            Path other = Files.write(folder.resolve("other"), new byte[SIZE]);
            Files.setLastModifiedTime(other, Files.getLastModifiedTime(file));
            Files.move(other, file, StandardCopyOption.REPLACE_EXISTING);
        });
        assertThat(outcome.failure()).startsWith("changed while it was read");
    }
}
