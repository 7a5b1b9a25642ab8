package io.labyrinth.jars;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.DataInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.jar.Attributes;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code labyrinth-cli.jar}: the command line, whole in one file, without a flag. */
@Tag("jars")
class CliJarTest {

    private static final Jar JAR = Jar.built("labyrinth-cli.jar");
    private static final String LAUNCHER = "io/labyrinth/cli/Launcher.class";

    @TempDir
    private Path folder;

    private Jar.Said by(Path home, String... arguments) throws IOException, InterruptedException {
        Path alone = Files.copy(JAR.path(), folder.resolve("alone.jar"));
        return Jar.run(folder, Stream.concat(Stream.of(home.resolve("bin/java").toString(), "-jar", alone.toString()),
                Stream.of(arguments)).toList());
    }

    private Jar.Said java(String... arguments) throws IOException, InterruptedException {
        return by(Path.of(System.getProperty("java.home")), arguments);
    }

    // ------------------------------------------------------------------------------------------- what it does

    @Test
    void runsWithNothingBesideIt() throws Exception {
        Path file = Files.writeString(folder.resolve("file"), "abc");

        Jar.Said said = java("digest", "--quiet", "--json", "data", file.toString());

        assertThat(said).isEqualTo(new Jar.Said(0,
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  " + file + "\n"));
        assertThat(folder.resolve("data")).content().contains("\"command\"");
    }

    /** Nor does the JVM, about native access say. */
    @Test
    void saysNothingThatNobodyAskedFor() throws Exception {
        assertThat(java("--version")).isEqualTo(new Jar.Said(0, "labyrinth 0.1.0\n"));
    }

    @Test
    void logsByTheLoggerThatItBrings() throws Exception {
        Path file = Files.createFile(folder.resolve("empty"));
        Jar.Said said = Jar.run(folder, List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Dslf4j.internal.verbosity=DEBUG", "-jar", JAR.path().toString(), "digest", "--quiet",
                file.toString()));

        assertThat(said.text()).contains("Connected with provider of type [org.slf4j.simple.");
    }

    // ------------------------------------------------------------------------------------------- an older Java

    @Test
    void beginsWithAClassThatJava8CanLoad() throws IOException {
        assertThat(JAR.attributes().getValue(Attributes.Name.MAIN_CLASS)).isEqualTo("io.labyrinth.cli.Launcher");
        try (DataInputStream launcher = JAR.open(LAUNCHER)) {
            assertThat(launcher.readInt()).isEqualTo(0xCAFEBABE);
            assertThat(launcher.readInt()).as("minor and major version").isEqualTo(52);
        }
    }

    @Test
    void anOlderJavaSaysWhichOneIsNeeded() throws Exception {
        Optional<Path> older = older();
        assumeTrue(older.isPresent(), "no Java before 25 is installed in /usr/lib/jvm");

        Jar.Said said = by(older.get(), "doctor");

        assertThat(said.code()).as(said.text()).isEqualTo(1);
        assertThat(said.text().lines()).singleElement().asString()
                .startsWith("labyrinth: needs Java 25 or later, this is ").contains(release(older.get()));
    }

    private static Optional<Path> older() throws IOException {
        Path all = Path.of("/usr/lib/jvm");
        if (!Files.isDirectory(all)) {
            return Optional.empty();
        }
        try (Stream<Path> homes = Files.list(all)) {
            return homes.filter(home -> Files.isExecutable(home.resolve("bin/java")))
                    .filter(home -> release(home).matches("(1\\.8|9|1\\d|2[0-4])([^\\d].*)?")).findFirst();
        }
    }

    private static String release(Path home) {
        try (Stream<String> lines = Files.lines(home.resolve("release"))) {
            return lines.filter(line -> line.startsWith("JAVA_VERSION=")).findFirst().orElse("")
                    .replaceAll("JAVA_VERSION=|\"", "");
        } catch (IOException e) {
            return "";
        }
    }

    // ------------------------------------------------------------------------------------------- what is in it

    @Test
    void isForTheClassPathAndHasEachNameOnce() throws IOException {
        assertThat(JAR.names()).doesNotHaveDuplicates()
                .contains("META-INF/LICENSE", "META-INF/NOTICE", "META-INF/THIRD-PARTY", "labyrinth.jfc",
                        "META-INF/services/org.slf4j.spi.SLF4JServiceProvider", "io/labyrinth/Labyrinth.class")
                .noneMatch(name -> name.endsWith("module-info.class") || name.startsWith("META-INF/versions/")
                        || name.startsWith("META-INF/maven/"));
        assertThat(JAR.attributes().getValue("Enable-Native-Access")).isEqualTo("ALL-UNNAMED");
        assertThat(JAR.attributes().getValue(Attributes.Name.CLASS_PATH)).isNull();
    }

    /** By the packages that it has: each library is named in THIRD-PARTY, and no other. */
    @Test
    void namesWhatItBringsAlong() throws IOException {
        String said = new String(JAR.open("META-INF/THIRD-PARTY").readAllBytes());
        assertThat(JAR.names().stream().filter(name -> name.endsWith(".class")).map(CliJarTest::library).distinct()
                .toList()).containsExactlyInAnyOrder("io/labyrinth", "picocli/CommandLine", "com/google", "org/jspecify",
                        "org/HdrHistogram", "org/slf4j", "me/tongfei", "org/jline");
        assertThat(said).contains(List.of("picocli", "Gson", "JSpecify", "HdrHistogram", "SLF4J", "progressbar",
                "JLine"));
    }

    private static String library(String name) {
        String[] parts = name.split("[/$.]");
        return parts[0] + "/" + (parts[0].equals("picocli") ? "CommandLine" : parts[1]);
    }
}
