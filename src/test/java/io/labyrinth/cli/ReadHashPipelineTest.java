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
 * What may happen to a file between its first read and its last. The labyrinth has only one frame, so the reader stops
 * after it.
 */
class ReadHashPipelineTest {

    private static final int SIZE = 3 * 4096;

    @TempDir
    Path folder;

    private interface Event {
        void befall(Path file) throws Exception;
    }

    private DigestFile.Outcome readWhile(Event event) throws Exception {
        Path file = Files.write(folder.resolve("file"), new byte[SIZE]);
        BlockingQueue<DigestFile> files = new LinkedBlockingQueue<>();
        DigestFile found = new DigestFile("file", file);
        files.add(found);
        files.add(DigestFile.END);
        WorkerGroup crew = new WorkerGroup();
        try (Labyrinth labyrinth = Labyrinth.builder("pair").frames(1).open();
                ReadHashPipeline pair = new ReadHashPipeline(labyrinth, Gfp.NOWAIT.with(Gfp.EXCLUSIVE).with(Gfp.NOWARN), 0,
                        new FrameReturns())) {
            crew.start("reader", () -> pair.read(files, () -> { }));
            while (labyrinth.stats().inTransit() == 0) {
                Thread.sleep(1);
            }
            event.befall(file);
            crew.start("hasher", pair::hash);
            DigestFile.Outcome outcome = found.outcome().get();
            crew.join();
            assertThat(pair.meter().runs).isLessThanOrEqualTo(SIZE / 4096);
            assertThat(pair.meter().nulls).isPositive();
            labyrinth.validate();
            return outcome;
        }
    }

    @Test
    void nullIsWaitedOutAndNeverAnError() throws Exception {
        DigestFile.Outcome outcome = readWhile(file -> { });
        assertThat(outcome.failure()).isNull();
        assertThat(outcome.bytes()).isEqualTo(SIZE);
    }

    @Test
    void aFileThatGrowsIsReadToTheSizeItHadAndFails() throws Exception {
        DigestFile.Outcome outcome = readWhile(file -> Files.write(file, new byte[SIZE], StandardOpenOption.APPEND));
        assertThat(outcome.failure()).isEqualTo("changed while it was read: size=12288, then size=24576");
        assertThat(outcome.sum()).isNull();
        assertThat(outcome.bytes()).isEqualTo(SIZE);
    }

    @Test
    void aFileThatIsCutFails() throws Exception {
        DigestFile.Outcome outcome = readWhile(file -> Files.write(file, new byte[1]));
        assertThat(outcome.failure()).isEqualTo("changed while it was read: size=12288, then size=1");
        assertThat(outcome.sum()).isNull();
    }

    @Test
    void aFileThatVanishesFails() throws Exception {
        DigestFile.Outcome outcome = readWhile(Files::delete);
        assertThat(outcome.failure()).isEqualTo("vanished while it was read");
        assertThat(outcome.sum()).isNull();
    }

    @Test
    void aFileThatIsReplacedFails() throws Exception {
        DigestFile.Outcome outcome = readWhile(file -> {
            Path other = Files.write(folder.resolve("other"), new byte[SIZE]);
            Files.setLastModifiedTime(other, Files.getLastModifiedTime(file));
            Files.move(other, file, StandardCopyOption.REPLACE_EXISTING);
        });
        assertThat(outcome.failure()).startsWith("changed while it was read");
    }
}
