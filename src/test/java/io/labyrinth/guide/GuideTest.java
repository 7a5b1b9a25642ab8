package io.labyrinth.guide;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Gfp;
import io.labyrinth.LabyrinthException;
import io.labyrinth.kit.Built;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The guide is true, as far as a program can check: its examples run, its links lead somewhere, the tests that it names
 * exist, it lists exactly the flags that there are, and every refusal has its section.
 */
class GuideTest {

    private static final Path GUIDE = Path.of("src", "site", "markdown");

    @TempDir
    private Path folder;

    @Test
    void everyExampleCompilesAndRuns() throws IOException {
        List<String> examples = new ArrayList<>();
        for (Path page : pages()) {
            examples.addAll(Snippets.ofMarkdown(page, "java"));
        }
        assertThat(examples).hasSizeGreaterThan(15);

        Snippets.run(folder, examples);
    }

    /** As a program of its own, compiled with the library as {@code make native} builds it. */
    @Test
    void everyExampleInCCompilesAndRuns() throws Exception {
        List<String> examples = new ArrayList<>();
        for (Path page : pages()) {
            examples.addAll(Snippets.ofMarkdown(page, "c"));
        }
        assertThat(examples).isNotEmpty();

        for (String example : examples) {
            Path source = Files.writeString(folder.resolve("example.c"), example);
            Path program = folder.resolve("example");
            run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-Inative", "-o", program.toString(),
                    source.toString(), Built.of("liblabyrinth.a").toString());
            run(program.toString());
        }
    }

    private static void run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor()).as(String.join(" ", command) + ": " + said).isZero();
        assertThat(said).isEmpty();
    }

    /** Where a page has a place of that name, it says so itself, as site and forge make different names of headings. */
    @Test
    void everyLinkLeadsSomewhere() throws IOException {
        List<Path> all = new ArrayList<>(pages());
        all.addAll(List.of(Path.of("README.md"), Path.of("CHANGELOG.md")));
        for (Path page : all) {
            for (String link : Snippets.blocks(Files.readString(page), "\\]\\((?!https?:)([^)]+)\\)")) {
                String file = link.replaceFirst("#.*", "");
                Path there = file.isEmpty() ? page : page.resolveSibling(file);
                Path image = Path.of("src", "site", "resources", file);
                assertThat(Files.exists(there) || Files.exists(image)).as("%s: %s", page, link).isTrue();
                if (link.contains("#")) {
                    assertThat(Files.readString(there)).as("%s: %s", page, link)
                            .contains("<a id=\"" + link.replaceFirst(".*#", "") + "\"></a>");
                }
            }
        }
    }

    /** The menu of the site, and the first page. */
    @Test
    void everyPageCanBeFound() throws IOException {
        String menu = Files.readString(Path.of("src", "site", "site.xml"));
        String first = Files.readString(GUIDE.resolve("index.md"));
        for (Path page : pages()) {
            String name = page.getFileName().toString();
            assertThat(menu).contains("href=\"" + name.replace(".md", ".html") + "\"");
            assertThat(name.equals("index.md") || first.contains("(" + name + ")")).as(name).isTrue();
        }
    }

    @Test
    void everyTestThatItNamesExists() throws IOException {
        TreeSet<String> named = new TreeSet<>();
        for (Path page : pages()) {
            named.addAll(Snippets.blocks(Files.readString(page), "\\b(\\w+Test)\\b"));
        }

        try (Stream<Path> files = Files.walk(Path.of("src/test/java"))) {
            List<String> all = files.map(file -> file.getFileName().toString().replace(".java", "")).toList();
            assertThat(named).hasSizeGreaterThan(15).isSubsetOf(all);
        }
    }

    @Test
    void everyFlagOfItsTableIsOne() throws IOException {
        String choosing = Files.readString(GUIDE.resolve("choosing.md"));
        List<String> rows = Snippets.blocks(choosing, "\\| flag \\| means \\|\n(.*?)\n\n");
        List<String> flags = Snippets.blocks(rows.getFirst(), "(?m)^\\| (`\\w+`(?:, `\\w+`)*) \\|");

        assertThat(flags).hasSizeGreaterThan(4).allSatisfy(names ->
                assertThat(Gfp.parse(names.split(", ")[0].replace("`", ""))).isNotNull());
    }

    @Test
    void everyRefusalHasItsSection() throws IOException {
        String troubleshooting = Files.readString(GUIDE.resolve("troubleshooting.md"));

        assertThat(LabyrinthException.class.getPermittedSubclasses()).hasSizeGreaterThan(10)
                .allSatisfy(type -> assertThat(troubleshooting).contains("\n## " + type.getSimpleName() + "\n"));
    }

    private static List<Path> pages() throws IOException {
        try (Stream<Path> files = Files.list(GUIDE)) {
            return files.sorted().toList();
        }
    }
}
