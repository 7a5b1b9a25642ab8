package io.labyrinth.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonParser;
import io.labyrinth.Labyrinth;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What all commands share: where they write their output, which numbers they accept, and what they say about wrong
 * ones.
 */
class CommandLineTest {

    @TempDir
    Path folder;

    private Cli.Result shell(String line) throws IOException, InterruptedException {
        Files.write(folder.resolve("file"), new byte[10]);
        return new Cli(folder).shell(line);
    }

    @ParameterizedTest
    @ValueSource(strings = {"--help", "--version", "stress --help", "doctor", "digest --quiet file"})
    void saysThatStandardOutputTakesNoMore(String command) throws IOException, InterruptedException {
        Cli.Result full = shell("\"$@\" " + command + " > /dev/full");
        assertThat(full).isEqualTo(new Cli.Result(1, "", "labyrinth: standard output: No space left on device\n"));
        Cli.Result closed = shell("\"$@\" " + command + " >&-");
        assertThat(closed).isEqualTo(new Cli.Result(1, "", "labyrinth: standard output: Bad file descriptor\n"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"--help", "doctor", "digest --quiet file"})
    void endsQuietlyWhereNobodyReads(String command) throws IOException, InterruptedException {
        Cli.Result result = shell("mkfifo pipe; exec 3<>pipe 4>pipe 3>&-; \"$@\" " + command + " >&4");
        assertThat(result).isEqualTo(new Cli.Result(LabyrinthCli.READER_GONE, "", ""));
    }

    /** Who reads the data goes before the sums, more than a pipe holds, are read. */
    @Test
    @Timeout(120)
    void aReaderOfTheDataWhoGoesIsNoReaderOfTheSums() throws IOException, InterruptedException {
        Path tree = Files.createDirectory(folder.resolve("tree"));
        for (int i = 0; i < 500; i++) {
            Files.createFile(tree.resolve("name".repeat(50) + i));
        }
        Cli.Result result = shell("mkfifo data; \"$@\" digest --quiet --json data tree"
                + " | { : < data; wc -l; }; exit ${PIPESTATUS[0]}");
        assertThat(result).isEqualTo(new Cli.Result(1, "500\n", "labyrinth: json=data: cannot be written: Broken"
                + " pipe\n"));
    }

    @ParameterizedTest
    @CsvSource({"digest file", "stress --seconds 2"})
    void opensTheFileForTheDataBeforeTheWork(String command) throws IOException, InterruptedException {
        Cli.Result nowhere = shell("\"$@\" " + command + " --json none/there");
        assertThat(nowhere).isEqualTo(new Cli.Result(1, "",
                "labyrinth: json=none/there: cannot be written: no such file or folder\n"));
        Cli.Result aFolder = shell("\"$@\" " + command + " --json .");
        assertThat(aFolder).isEqualTo(new Cli.Result(1, "", "labyrinth: json=.: cannot be written: Is a directory\n"));
    }

    @Test
    void saysThatTheDataDoesNotFit() throws IOException, InterruptedException {
        Cli.Result result = shell("\"$@\" digest --quiet --json /dev/full file");
        assertThat(result.outLines()).hasSize(1);
        assertThat(result.err()).isEqualTo("labyrinth: json=/dev/full: cannot be written: No space left on device\n");
        assertThat(result.code()).isEqualTo(1);
    }

    @Test
    void theReserveOfAStressFollowsFromItsFrames() throws IOException, InterruptedException {
        assertThat(List.of(new LabyrinthOptions(1536, 96).reserve(), new LabyrinthOptions(64, 96).reserve(),
                new LabyrinthOptions(15, 96).reserve(), new LabyrinthOptions(1 << 20, 96).reserve(),
                new LabyrinthOptions(1024, 0).reserve())).containsExactly(96L, 4L, 0L, 96L, 0L);
        Cli.Result result = new Cli(folder).run("stress", "--frames", "64", "--seconds", "1", "--json", "report");
        assertThat(result.err()).contains("no violation");
        assertThat(result.code()).isZero();
        assertThat(JsonParser.parseString(Files.readString(folder.resolve("report"))).getAsJsonObject()
                .getAsJsonObject("memory").get("reserve").getAsLong()).isEqualTo(4);
        assertThat(new Cli(folder).run("stress", "--help").out().replaceAll("\\s+", " "))
                .contains("for stress a 16th of the frames, at most 96");
    }

    /** One file, one read, one link; one thread, one frame. */
    @Test
    void aCountAndItsNounAgree() throws IOException, InterruptedException {
        Files.createDirectory(folder.resolve("one"));
        Files.write(folder.resolve("one/file"), new byte[10]);
        Files.createSymbolicLink(folder.resolve("one/link"), Path.of("file"));
        String digest = new Cli(folder).run("digest", "--order", "0", "--threads", "1", "one").err();
        String stress = new Cli(folder).run("stress", "--seconds", "1", "--threads", "1", "--frames", "1").err();

        assertThat(digest).contains("digest       1 file, 0 failed, 1 link skipped; ");
        assertThat(stress).contains(" in 1 s by 1 thread (seed ", " mapped: 1 frame of ");
        assertThat(List.of(digest, stress)).allSatisfy(summary -> assertThat(summary)
                .doesNotContainPattern("(?<![\\d.,])1 (\\w+ )?(files|links|frames|runs|pages|threads|times|rows)\\b"));
        assertThat(List.of(Count.of(0, "file"), Count.of(1, "more row"), Count.of(2_000, "late use")))
                .containsExactly("0 files", "1 more row", "2,000 late uses");
    }

    @Test
    void theDefaultIsTheBuildersOwn() {
        try (Labyrinth labyrinth = Labyrinth.builder("defaults").open()) {
            LabyrinthOptions options = LabyrinthOptions.ofBytes(LabyrinthOptions.DEFAULT_BYTES, 0);
            assertThat(options.frames).isEqualTo(labyrinth.stats().frames());
            assertThat(options.reserve()).isEqualTo(labyrinth.stats().reserve());
            labyrinth.validate();
        }
    }

    /** The lock limit is in bytes, so the defaults are; with pages of 4, 16 and 64 KiB. */
    @ParameterizedTest
    @CsvSource({"4096, 1024, 1536, 96, 6, 6", "16384, 256, 384, 24, 4, 4", "65536, 64, 96, 6, 2, 2"})
    void theDefaultsFollowFromThePagesSize(long pageSize, long frames, long ofStress, long reserve, int order,
            int orderForFour) {
        assertThat(LabyrinthOptions.framesOf(LabyrinthOptions.DEFAULT_BYTES, pageSize)).isEqualTo(frames);
        assertThat(LabyrinthOptions.framesOf(6 << 20, pageSize)).isEqualTo(ofStress);
        assertThat(new LabyrinthOptions(ofStress, StressCommand.MOST_DEFAULT_RESERVE).reserve()).isEqualTo(reserve);
        assertThat(DigestCommand.defaultOrder(frames / 2, pageSize)).as("one thread").isEqualTo(order);
        assertThat(DigestCommand.defaultOrder(frames / (2 * 4), pageSize)).as("four").isEqualTo(orderForFour);
        assertThat(DigestCommand.defaultOrder(0, pageSize)).as("thousands").isZero();
    }

    @ParameterizedTest
    @CsvSource({"digest, frames, 99999999999999999999999, 1, 16777216", "digest, frames, 0x10, 1, 16777216",
        "stress, frames, 16777217, 1, 16777216", "stress, reserve, -1, 0, 16777215", "digest, threads, 1025, 1, 1024",
        "digest, order, ten, 0, 10", "digest, order, 11, 0, 10", "stress, threads, 4294967297, 1, 1023",
        "stress, seconds, 1.5, 1, 1000000", "stress, seed, 9223372036854775808, -9223372036854775808,"
                + " 9223372036854775807"})
    void refusesANumberWithItsRange(String command, String option, String value, String least, String most)
            throws IOException, InterruptedException {
        Cli.Result result = shell("\"$@\" " + command + " --" + option + "=" + value
                + (command.equals("digest") ? " file" : ""));
        assertThat(result).isEqualTo(new Cli.Result(2, "", "labyrinth: " + option + "=" + value + " limit=" + most
                + ": ask for a whole number from " + least + " to " + most + "; see labyrinth " + command
                + " --help\n"));
    }

    @ParameterizedTest
    @CsvSource({"--threads 1 --threads 2, only once", "--threads, Missing required parameter",
        "--lock perhaps, PREFERRED"})
    void saysOfAnotherMistakeWhatItIs(String options, String says) throws IOException, InterruptedException {
        Cli.Result result = shell("\"$@\" stress " + options);
        assertThat(result.code()).isEqualTo(2);
        assertThat(result.errLines()).hasSize(1);
        assertThat(result.err()).contains(says).doesNotContain("limit=");
    }

    @Test
    void aNameInAMessageCommandsNoTerminal() {
        assertThat(RawText.visible("a\nb\tc\r\0")).isEqualTo("a\\nb\\011c\\015\\000");
        assertThat(RawText.visible("\u001b[31m\u007f")).isEqualTo("\\033[31m\\177");
        assertThat(RawText.visible("\u00c2\u009b31m")).isEqualTo("\u00c2\\23331m");
    }

    @Test
    void aNameInAMessageKeepsItsBytes() {
        assertThat(RawText.visible("plain name ~\\")).isEqualTo("plain name ~\\");
        // UTF-8 of a letter whose second byte alone would be a control character.
        assertThat(RawText.visible("\u00c4\u009b")).isEqualTo("\u00c4\u009b");
    }
}
