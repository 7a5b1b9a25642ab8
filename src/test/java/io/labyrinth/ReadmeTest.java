package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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

    /** Those for libraries that the core does not need, on the class path, as they are most often used. */
    @Test
    void everyRecipeCompilesAndRunsInTenLines() throws IOException {
        List<String> recipes = blocks(Files.readString(README), "```java\n(.*?)```");
        for (int i = 1; i < recipes.size(); i++) {
            Path file = Files.writeString(folder.resolve("Recipe" + i + ".java"), """
                    import io.labyrinth.*;
                    import io.labyrinth.arrow.*;
                    import io.labyrinth.netty.*;
                    import io.netty.buffer.*;
                    import org.apache.arrow.memory.*;

                    class Recipe%s {
                        public static void main(String[] args) {
                    %s
                            System.out.println("done");
                        }
                    }
                    """.formatted(i, recipes.get(i)));

            ChildJvm.Result result = ChildJvm.sourceWithAll(file)
                    .jvm("--add-opens=java.base/java.nio=ALL-UNNAMED").run();

            assertThat(result.exit()).as(result.toString()).isZero();
            assertThat(result.out()).isEqualTo("done\n");
            assertThat(recipes.get(i).lines()).hasSizeLessThanOrEqualTo(10);
        }
    }

    @Test
    void theExamplesOfTheJavadocAreTheSame() throws IOException {
        for (String type : List.of("Labyrinth", "netty/LabyrinthByteBufAllocator", "arrow/LabyrinthAllocation")) {
            String javadoc = Files.readString(Path.of("src/main/java/io/labyrinth/" + type + ".java"));
            String snippet = blocks(javadoc, "\\{@snippet :\n(.*?\n \\* })\n \\* }\n").getFirst()
                    .replaceAll("(?m)^ \\* ", "");

            assertThat(Files.readString(README)).contains("```java\n" + snippet + "\n```");
        }
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
        assertThat(Files.readAllLines(README)).hasSizeBetween(80, 180)
                .allSatisfy(line -> assertThat(line.startsWith("|") ? 0 : line.length()).isLessThanOrEqualTo(125));
    }

    private static List<String> blocks(String text, String pattern) {
        return Pattern.compile(pattern, Pattern.DOTALL).matcher(text).results().map(match -> match.group(1)).toList();
    }
}
