package io.labyrinth.guide;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.kit.ChildJvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The examples of the README and of the Javadoc run as they are printed. {@link GuideTest} does the same for the guide.
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
        List<String> examples = Snippets.ofMarkdown(README, "java");
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

        assertThat(examples).hasSize(1);
        assertThat(result).isEqualTo(new ChildJvm.Result(0, "", ""));
    }

    /** All examples of the Javadoc: one for each integration. */
    @Test
    void everyRecipeCompilesAndRunsInTenLines() throws IOException {
        Map<String, List<String>> recipes = recipes();
        assertThat(recipes).containsKeys("Labyrinth", "FrameArena", "Slab", "netty/LabyrinthByteBufAllocator",
                "arrow/LabyrinthAllocation", "jmx/LabyrinthBean", "micrometer/LabyrinthMetrics", "map/MapServer",
                "map/MapWatch");
        assertThat(recipes.get("package-info")).as("channels, watermarks, owners, shared, recorded").hasSize(5);
        List<String> all = recipes.values().stream().flatMap(List::stream).toList();
        assertThat(all).allSatisfy(recipe -> assertThat(recipe.lines()).hasSizeLessThanOrEqualTo(10));

        Snippets.run(folder, all);
    }

    /** By type, in the order of their names. */
    private static Map<String, List<String>> recipes() throws IOException {
        Map<String, List<String>> recipes = new TreeMap<>();
        try (Stream<Path> files = Files.walk(MAIN)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                List<String> found = Snippets.ofJavadoc(file);
                if (!found.isEmpty()) {
                    recipes.put(MAIN.relativize(file).toString().replaceFirst("\\.java$", ""), found);
                }
            }
        }
        return recipes;
    }

    @Test
    void theExampleOfTheJavadocIsTheSame() throws IOException {
        assertThat(Snippets.ofMarkdown(README, "java"))
                .containsExactly(Snippets.ofJavadoc(MAIN.resolve("Labyrinth.java")).getFirst());
    }

    @Test
    void itIsShortEnoughToBeRead() throws IOException {
        assertThat(Files.readAllLines(README)).hasSizeBetween(80, 150)
                .allSatisfy(line -> assertThat(line.startsWith("|") ? 0 : line.length()).isLessThanOrEqualTo(125));
    }
}
