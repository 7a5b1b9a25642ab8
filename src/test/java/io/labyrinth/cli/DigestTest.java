package io.labyrinth.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What digest prints is right: sha256sum confirms it. */
class DigestTest {

    private static final int[] SIZES = {0, 1, 511, 4095, 4096, 4097, 65_536, 100_000, 1 << 20, (3 << 20) + 17};
    /** In bytes, one char each; each is the name of a file and of a folder somewhere. */
    private static final List<String> NAMES = List.of("plain", "with space", "new\nline", "back\\slash", "\\n", "-dash",
            "--help",
            "*", "$(x)", "quote'\"", "%41", "u\u00c3\u00bc", "\u00ff\u00fe raw", "\u0080", "tab\t", ".hidden", "@file",
            "~");

    @TempDir
    static Path tree;
    private static long files;
    private static String sums = "";

    @BeforeAll
    static void plantTree() throws IOException, InterruptedException {
        Random random = new Random(7);
        for (String folder : NAMES) {
            for (String name : NAMES) {
                byte[] content = new byte[SIZES[(int) (files % (files % 7 == 0 ? 10 : 7))]];
                random.nextBytes(content);
                Path path = RawText.path(tree + "/" + folder + "/deep/" + name);
                Files.createDirectories(path.getParent());
                Files.write(path, content);
                files++;
            }
        }
        Files.createSymbolicLink(tree.resolve("link"), Path.of("plain"));
        sums = digest(new Cli(tree), "--threads", "2").out();
    }

    private static Cli.Result digest(Cli cli, String... options) throws IOException, InterruptedException {
        List<String> arguments = new ArrayList<>(List.of("digest", "--quiet"));
        arguments.addAll(List.of(options));
        arguments.add(".");
        Cli.Result result = cli.run(arguments.toArray(String[]::new));
        assertThat(result.err()).isEmpty();
        assertThat(result.code()).isZero();
        return result;
    }

    private static void check(String sums) throws IOException, InterruptedException {
        Path file = Files.createTempFile("labyrinth", ".sums");
        try {
            Files.writeString(file, sums, StandardCharsets.ISO_8859_1);
            Cli.Result result = new Cli(tree).runProcess(List.of("sha256sum", "--check", "--strict", "--quiet",
                    file.toString()));
            assertThat(result).isEqualTo(new Cli.Result(0, "", ""));
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void printsALineForEachFileThatSha256sumConfirms() throws IOException, InterruptedException {
        assertThat(sums.lines().count()).isEqualTo(files).isGreaterThan(300);
        check(sums);
    }

    @ParameterizedTest
    @CsvSource({"1, 0", "1, 4", "2, 0", "2, 4", "16, 0", "16, 4"})
    void printsTheSameWhateverTheThreadsAndTheOrderWith64Frames(String threads, String order)
            throws IOException, InterruptedException {
        Cli.Result result = digest(new Cli(tree), "--frames", "64", "--threads", threads, "--order", order);
        assertThat(result.out()).isEqualTo(sums);
    }

    @Test
    void namesAreBytesInAnyLocale() throws IOException, InterruptedException {
        Cli c = new Cli(tree, Map.of("LANG", "C", "LC_ALL", "C"));
        assertThat(digest(c).out()).isEqualTo(sums);
        Cli.Result given = c.shell("\"$@\" digest --quiet --"
                + " $'\\377\\376 raw' $'u\\303\\274/deep' --help - < /dev/null");
        assertThat(given.err()).isEqualTo("labyrinth: -: no such file or folder\n");
        assertThat(given.outLines()).hasSize(3 * NAMES.size());
        check(given.out());
        Cli.Result inside = c.shell("cd $'\\377\\376 raw/deep' && \"$@\" digest --quiet plain $'\\200' .");
        assertThat(inside.err()).isEmpty();
        assertThat(inside.outLines()).hasSize(2 + NAMES.size());
    }

    @Test
    void takesAReserveAndAnyFlagsThatDoNotSleep() throws IOException, InterruptedException {
        Cli.Result result = digest(new Cli(tree), "--frames", "64", "--reserve", "16", "--gfp", "GFP_ATOMIC|ZERO",
                "--order", "2",
                "--lock", "preferred");
        assertThat(result.out()).isEqualTo(sums);
    }

    @Test
    void aLinkIsFollowedAsAnArgumentAndPassedOverInAFolder() throws IOException, InterruptedException {
        Cli.Result result = new Cli(tree).run("digest", "link", "plain");
        assertThat(result.outLines()).hasSize(2 * NAMES.size());
        assertThat(result.outLines().getFirst()).contains("  link/deep/");
        assertThat(sums).doesNotContain("./link");
    }

    @Test
    void aSumOfTheFileCalledDashIsNotOneOfStandardInput() {
        assertThat(RawText.sumLine("00", "-")).isEqualTo("00  ./-\n");
        assertThat(RawText.sumLine("00", "a\nb\\c\rd")).isEqualTo("\\00  a\\nb\\\\c\\rd\n");
        assertThat(RawText.sumLine("00", "a b")).isEqualTo("00  a b\n");
    }

    @Test
    void theSummaryIsPrintedAndWrittenAsData() throws IOException, InterruptedException {
        Path json = tree.resolveSibling(tree.getFileName() + ".json");
        Cli.Result result = new Cli(tree).run("digest", "--frames", "64", "--order", "1", "--threads", "4", "--json",
                json.toString(), ".");
        assertThat(result.code()).isZero();
        assertThat(result.out()).isEqualTo(sums);
        JsonObject report = JsonParser.parseString(Files.readString(json)).getAsJsonObject();
        Files.delete(json);
        JsonObject work = report.getAsJsonObject("work");
        assertThat(work.get("files").getAsLong()).isEqualTo(files);
        assertThat(work.get("failed").getAsLong()).isZero();
        assertThat(work.get("linksPassedOver").getAsLong()).isEqualTo(1);
        assertThat(work.get("filesReadDirect").getAsLong() + work.get("filesReadBuffered").getAsLong())
                .isEqualTo(files);
        JsonObject allocation = report.getAsJsonObject("allocation");
        assertThat(allocation.get("frames").getAsLong()).isEqualTo(2 * allocation.get("runs").getAsLong());
        assertThat(allocation.get("frames").getAsLong() * 4096).isGreaterThanOrEqualTo(work.get("bytes").getAsLong());
        assertThat(allocation.get("p50Nanos").getAsLong()).isPositive()
                .isLessThanOrEqualTo(allocation.get("maxNanos").getAsLong());
        JsonObject faults = report.getAsJsonObject("pageFaults");
        assertThat(faults.get("watchedPages").getAsLong()).isGreaterThanOrEqualTo(64);
        assertThat(faults.get("causedByFrames").getAsLong()).isZero();
        JsonObject memory = report.getAsJsonObject("memory");
        assertThat(memory.get("lockedBytes").getAsLong()).isEqualTo(memory.get("mappedBytes").getAsLong())
                .isGreaterThan(64 * 4096);
        assertThat(report.getAsJsonArray("picture").get(0).getAsString()).hasSize(64).matches("[.ET]+");
        assertThat(result.err()).contains("digest  ", "frames  ", "allocation  ", "caused by frames: 0,", "locked of",
                "picture  ")
                .doesNotContain("\033", "Exception", "WARNING");
    }
}
