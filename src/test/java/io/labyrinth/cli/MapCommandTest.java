package io.labyrinth.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.Locking;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code labyrinth map} looks at a labyrinth of another process. Here it is the process of the test. */
class MapCommandTest {

    @TempDir
    private Path folder;

    private final Path path = Path.of("/dev/shm/labyrinth-cli-" + ProcessHandle.current().pid());
    private Labyrinth labyrinth;
    private Frame frame;

    @BeforeEach
    void open() {
        labyrinth = Labyrinth.builder("caf\u00e9").frames(512).locking(Locking.NONE).shared(path).open();
        frame = labyrinth.allocPages(Gfp.ATOMIC_EXCLUSIVE, 6);
    }

    @AfterEach
    void close() throws IOException {
        labyrinth.validate();
        assertThat(labyrinth.map().tenants()).hasSize(1);
        frame.close();
        labyrinth.close();
        Files.delete(path);
    }

    private Cli.Result map(String... arguments) throws IOException, InterruptedException {
        List<String> all = new ArrayList<>(List.of("map"));
        all.addAll(List.of(arguments));
        return new Cli(folder).run(all.toArray(String[]::new));
    }

    private static String bytes(String text) {
        return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    }

    @Test
    void showsItAsText() throws IOException, InterruptedException {
        Cli.Result result = map(path.toString(), "--by", "owner");

        assertThat(result.err()).isEmpty();
        assertThat(result.code()).isZero();
        assertThat(result.out()).startsWith(bytes("labyrinth caf\u00e9, 512 frames of "))
                .contains("448 free", "64 out", "AAAAAAAA", "thread " + Thread.currentThread().threadId() + " of pid "
                        + ProcessHandle.current().pid() + " (tenant 2)").doesNotContain("\033");
    }

    @Test
    void writesAnImage() throws IOException, InterruptedException {
        assertThat(map(path.toString(), "--png", "map.png")).isEqualTo(new Cli.Result(0, "", ""));
        assertThat(Files.readAllBytes(folder.resolve("map.png"))).startsWith(0x89, 'P', 'N', 'G')
                .hasSizeGreaterThan(1000);
        assertThat(map(path.toString(), "--png", "none/there")).isEqualTo(new Cli.Result(1, "",
                "labyrinth: png=none/there: cannot be written: no such file or folder\n"));
    }

    @Test
    void saysWhatItCannotShow() throws IOException, InterruptedException {
        assertThat(map("none")).isEqualTo(new Cli.Result(1, "",
                "labyrinth: file=none cannot be looked at: no such file:"
                + " give the file of a shared labyrinth that this user may read (sharedPath() names it)\n"));
        Files.write(folder.resolve("other"), new byte[1000]);
        assertThat(map("other")).satisfies(result -> {
            assertThat(result.code()).isEqualTo(1);
            assertThat(result.errLines()).singleElement().asString().contains("file=other magic=0");
        });
        for (String mistake : List.of("--by age", "--serve 0 --watch 1", "--serve 0 --png file", "--serve 65536",
                "--watch 0", "--by colour")) {
            List<String> arguments = new ArrayList<>(List.of(path.toString()));
            arguments.addAll(List.of(mistake.split(" ")));
            assertThat(map(arguments.toArray(String[]::new))).as(mistake).satisfies(result -> {
                assertThat(result.code()).isEqualTo(2);
                assertThat(result.out()).isEmpty();
                assertThat(result.errLines()).singleElement().asString().endsWith("; see labyrinth map --help");
            });
        }
    }

    @Test
    @Timeout(120)
    void watchesUntilNobodyReads() throws IOException, InterruptedException {
        Cli.Result result = new Cli(folder).shell("\"$@\" map " + path + " --by age --watch 1 | grep -m 2 '^labyrinth';"
                + " exit ${PIPESTATUS[0]}");
        assertThat(result.code()).isEqualTo(LabyrinthCli.READER_GONE);
        assertThat(result.outLines()).hasSize(2);
        assertThat(result.err()).isEmpty();
    }

    @Test
    @Timeout(60)
    void servesAPageUntilItIsEnded() throws IOException, InterruptedException {
        served(List.of("map", path.toString(), "--serve", "0"), "\"name\":\"caf\\u00e9\"");
    }

    /** The live labyrinth of the command's own process. */
    @Test
    @Timeout(60)
    void stressServesItsOwn() throws IOException, InterruptedException {
        served(List.of("stress", "--seconds", "100", "--quiet", "--threads", "1", "--serve", "0"),
                "\"name\":\"stress\"");
    }

    private void served(List<String> arguments, String data) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(Cli.java());
        command.addAll(arguments);
        Path err = folder.resolve("err");
        Process process = new ProcessBuilder(command).directory(folder.toFile()).redirectError(err.toFile()).start();
        try {
            // Not by a pipe: to wait for a line that does not come could not be ended.
            while (process.isAlive() && !Files.readString(err, StandardCharsets.ISO_8859_1).endsWith("\n")) {
                Thread.sleep(20);
            }
            String line = Files.readString(err, StandardCharsets.ISO_8859_1);
            assertThat(line).matches("labyrinth: http://127\\.0\\.0\\.1:\\d+/ shows it\n");
            String address = line.split(" ")[1];
            for (int look = 0; look < 2; look++) {
                try (BufferedReader answer = new BufferedReader(new InputStreamReader(
                        URI.create(address + "map.json?by=age").toURL().openStream(), StandardCharsets.UTF_8))) {
                    assertThat(answer.readLine()).contains(data, "\"by\":\"AGE\"");
                }
            }
        } finally {
            process.destroy();
            assertThat(process.waitFor(30, TimeUnit.SECONDS)).as("it ends as soon as it is asked to").isTrue();
        }
    }
}
