package io.labyrinth.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.labyrinth.kit.Built;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Frames go to a native program and come from one. The program may be killed. */
class RelayTest {

    private static final int[] SIZES = {0, 1, 65_536, 65_537, 3_000_000, 4096, 700_001};

    @TempDir
    private Path folder;
    private final List<String> arguments = new ArrayList<>();
    private String sums = "";

    @BeforeEach
    void writeFiles() throws Exception {
        SplittableRandom random = new SplittableRandom(7);
        for (int size : SIZES) {
            byte[] bytes = new byte[size];
            random.nextBytes(bytes);
            Path file = Files.write(folder.resolve("file" + size), bytes);
            arguments.add(file.toString());
            sums += HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes)) + "  " + file + "\n";
        }
    }

    private Cli.Result relay(String... options) throws Exception {
        List<String> all = new ArrayList<>(List.of("relay", "--lock", "preferred"));
        all.addAll(List.of(options));
        all.addAll(arguments);
        return new Cli(folder).run(all.toArray(String[]::new));
    }

    @ParameterizedTest
    @CsvSource({"--to, consume, 0", "--to, consume, 5", "--to, consume, 1", "--from, produce, 0", "--from, produce, 5",
        "--from, produce, 7"})
    void sumsAreRightWhetherTheProgramIsKilledOrNot(String end, String program, int kill) throws Exception {
        Cli.Result result = relay(end, Built.of(program).toString(), "--kill", String.valueOf(kill));

        assertThat(result.err()).contains("relay        7 files, 3,835,171 bytes; the program was "
                + (kill == 0 ? "not killed, 0 frames taken back" : "killed once, "));
        assertThat(result.out()).isEqualTo(sums);
        assertThat(result.code()).isZero();
    }

    @ParameterizedTest
    @CsvSource({"--to, consume, to, 0", "--from, produce, from, 5"})
    void theSummaryIsPrintedAndWrittenAsData(String end, String program, String key, int kill) throws Exception {
        Path json = folder.resolve("relay.json");
        String path = Built.of(program).toString();
        Cli.Result result = relay(end, path, "--kill", String.valueOf(kill), "--json", json.toString());

        assertThat(result.code()).isZero();
        assertThat(result.out()).isEqualTo(sums);
        JsonObject report = JsonParser.parseString(Files.readString(json)).getAsJsonObject();
        assertThat(report.get("command").getAsString()).isEqualTo("relay");
        JsonObject work = report.getAsJsonObject("work");
        assertThat(work.get("files").getAsLong()).isEqualTo(SIZES.length);
        assertThat(work.get("bytes").getAsLong()).isEqualTo(IntStream.of(SIZES).sum());
        assertThat(work.get("seconds").getAsDouble()).isPositive();
        assertThat(work.get(key).getAsString()).isEqualTo(path);
        assertThat(work.get("killed").getAsLong()).isEqualTo(kill == 0 ? 0 : 1);
        assertThat(work.has("framesTakenBack")).isTrue();
        JsonObject memory = report.getAsJsonObject("memory");
        assertThat(memory.get("mappedBytes").getAsLong()).isGreaterThan(
                memory.get("frames").getAsLong() * memory.get("frameBytes").getAsLong());
        assertThat(report.keySet()).as("the other process allocates, too").containsExactly("command", "work", "memory");
        assertThat(result.err()).contains("relay  ", "memory  ").doesNotContain("null", "frames  ", "picture  ");
    }

    @Test
    void aSummaryThatCannotBeWrittenIsRefusedBeforeTheWork() throws Exception {
        Cli.Result result = relay("--to", Built.of("consume").toString(), "--json",
                folder.resolve("absent/relay.json").toString());

        assertThat(result.err()).contains("absent/relay.json: cannot be written").doesNotContain("\tat ");
        assertThat(result.out()).isEmpty();
        assertThat(result.code()).isEqualTo(1);
    }

    @Test
    void aProgramThatCannotDoItIsNotTriedForever() throws Exception {
        Cli.Result result = relay("--to", "/bin/false");

        assertThat(result.errLines()).last().asString().contains("program=/bin/false exit=1 tries=3");
        assertThat(result.err()).doesNotContain("\tat ");
        assertThat(result.code()).isEqualTo(1);
    }

    @Test
    void oneEndIsNamed() throws Exception {
        assertThat(relay().err()).contains("name one program");
        assertThat(relay("--to", "a", "--from", "b").code()).isEqualTo(2);
    }

    @Test
    void aFileThatIsNotThereIsSaidSo() throws Exception {
        arguments.add(folder.resolve("absent").toString());
        Cli.Result result = relay("--to", Built.of("consume").toString());

        assertThat(result.err()).contains("absent").doesNotContain("\tat ");
        assertThat(result.code()).isEqualTo(1);
    }
}
