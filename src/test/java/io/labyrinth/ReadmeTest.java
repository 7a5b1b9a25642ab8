package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the README says is so: its example runs, the tests that it names exist, the flags that it lists are the flags.
 */
class ReadmeTest {

    private static final Path README = Path.of("README.md");
    private static final Path MAIN = Path.of("src", "main", "java", "io", "labyrinth");

    @TempDir
    private Path folder;

    /**
     * As the code of a user: outside of the module, with what it exports, started with the flag that the README gives.
     */
    @Test
    void theExampleCompilesAndRuns() throws IOException {
        List<String> examples = blocks(Files.readString(README), "```java\n(.*?)```");
        Path file = Files.writeString(folder.resolve("Example.java"), """
                import io.labyrinth.Frame;
                import io.labyrinth.Gfp;
                import io.labyrinth.Labyrinth;
                import java.lang.foreign.MemorySegment;
                import java.lang.foreign.ValueLayout;

                class Example {
                    public static void main(String[] args) {
                %s
                    }
                }
                """.formatted(examples.getFirst()));

        ChildJvm.Result result = ChildJvm.source(file).run();

        assertThat(result).isEqualTo(new ChildJvm.Result(0, "", ""));
    }

    /**
     * All examples of the Javadoc: one for each integration. On the class path with all that they are for, as they are
     * most often used. What a line prints is what its comment says.
     */
    @Test
    void everyRecipeCompilesAndRunsInTenLines() throws IOException {
        Map<String, List<String>> recipes = recipes();
        assertThat(recipes).containsKeys("Labyrinth", "FrameArena", "Slab", "netty/LabyrinthByteBufAllocator",
                "arrow/LabyrinthAllocation", "jmx/LabyrinthBean", "micrometer/LabyrinthMetrics", "map/MapServer",
                "map/MapWatch");
        assertThat(recipes.get("package-info")).as("channels, watermarks, owners, shared, recorded").hasSize(5);
        List<String> all = recipes.values().stream().flatMap(List::stream).toList();
        StringBuilder calls = new StringBuilder();
        StringBuilder methods = new StringBuilder();
        for (int i = 0; i < all.size(); i++) {
            assertThat(all.get(i).lines()).hasSizeLessThanOrEqualTo(10);
            calls.append("recipe%s();System.out.println(\"done\");\n".formatted(i));
            methods.append("static void recipe%s() throws Exception {\n%s\n}\n".formatted(i, all.get(i)));
        }
        Path file = Files.writeString(folder.resolve("Recipes.java"), """
                import io.labyrinth.*;
                import io.labyrinth.arrow.*;
                import io.labyrinth.jmx.*;
                import io.labyrinth.map.*;
                import io.labyrinth.micrometer.*;
                import io.labyrinth.netty.*;
                import io.micrometer.core.instrument.*;
                import io.micrometer.core.instrument.simple.*;
                import io.netty.buffer.*;
                import java.io.*;
                import java.lang.foreign.*;
                import java.lang.management.*;
                import java.nio.ByteBuffer;
                import java.nio.channels.*;
                import java.nio.file.Path;
                import java.time.Duration;
                import java.util.concurrent.LinkedBlockingQueue;
                import javax.management.*;
                import jdk.jfr.*;
                import jdk.jfr.consumer.*;
                import org.apache.arrow.memory.*;

                class Recipes {
                    public static void main(String[] args) throws Exception {
                %s
                    }
                %s
                }
                """.formatted(calls, methods));

        ChildJvm.Result result = ChildJvm.sourceWithAll(file).jvm("--add-opens=java.base/java.nio=ALL-UNNAMED").run();

        assertThat(result.exit()).as(result.toString()).isZero();
        List<String> printed = List.of(result.out().split("(?m)^done\n", -1));
        assertThat(printed).hasSize(all.size() + 1);
        for (int i = 0; i < all.size(); i++) {
            assertThat(printed.get(i).lines()).containsAll(blocks(all.get(i), "println\\([^\n]*\\); +// ([^\n]*)"));
        }
    }

    /** By type, in the order of their names. */
    private static Map<String, List<String>> recipes() throws IOException {
        Map<String, List<String>> recipes = new TreeMap<>();
        try (Stream<Path> files = Files.walk(MAIN)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                String type = MAIN.relativize(file).toString().replaceFirst("\\.java$", "");
                List<String> found = snippets(type);
                if (!found.isEmpty()) {
                    recipes.put(type, found);
                }
            }
        }
        return recipes;
    }

    @Test
    void theExampleOfTheJavadocIsTheSame() throws IOException {
        assertThat(Files.readString(README)).contains("```java\n" + snippets("Labyrinth").getFirst() + "\n```");
    }

    /** The examples in the Javadoc of a type. */
    private static List<String> snippets(String type) throws IOException {
        String javadoc = Files.readString(MAIN.resolve(type + ".java"));
        return blocks(javadoc, "\\{@snippet :\n(.*?)\n \\* }\n(?! \\* }\n)").stream()
                .map(snippet -> snippet.replaceAll("(?m)^ \\* ", "")).toList();
    }

    @Test
    void everyTestThatItNamesExists() throws IOException {
        TreeSet<String> named = new TreeSet<>(blocks(Files.readString(README), "`(\\w+Test)`"));

        try (Stream<Path> files = Files.walk(Path.of("src/test/java"))) {
            List<String> all = files.map(file -> file.getFileName().toString().replace(".java", "")).toList();
            assertThat(named).hasSizeGreaterThan(5).isSubsetOf(all);
        }
    }

    @Test
    void everyFlagOfItsTableIsOne() throws IOException {
        List<String> rows = blocks(Files.readString(README), "\\| flag \\| means \\|\n(.*?)\n\n");
        List<String> flags = blocks(rows.getFirst(), "(?m)^\\| (`\\w+`(?:, `\\w+`)*) \\|");

        assertThat(flags).hasSizeGreaterThan(4).allSatisfy(names ->
                assertThat(Gfp.parse(names.split(", ")[0].replace("`", ""))).isNotNull());
    }

    @Test
    void itIsShortEnoughToBeRead() throws IOException {
        assertThat(Files.readAllLines(README)).hasSizeBetween(80, 150)
                .allSatisfy(line -> assertThat(line.startsWith("|") ? 0 : line.length()).isLessThanOrEqualTo(125));
    }

    private static List<String> blocks(String text, String pattern) {
        return Pattern.compile(pattern, Pattern.DOTALL).matcher(text).results().map(match -> match.group(1)).toList();
    }
}
