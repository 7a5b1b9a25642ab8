package io.labyrinth.jars;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.kit.ChildJvm;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.jar.Attributes;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.Constants;
import org.slf4j.Logger;

/** {@code labyrinth.jar}: the library alone, for the class path, the module path and OSGi. */
@Tag("jars")
class LibraryJarTest {

    private static final Jar JAR = Jar.built("labyrinth.jar");

    private static final String USER = """
            package user;

            import io.labyrinth.Frame;
            import io.labyrinth.Gfp;
            import io.labyrinth.Labyrinth;

            public class User {
                public static void main(String[] args) {
                    try (Labyrinth labyrinth = Labyrinth.builder("user").frames(64).open();
                            Frame frame = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE)) {
                        System.out.println("opened " + frame.byteSize());
                    }
                }
            }
            """;

    @TempDir
    private Path folder;

    // ------------------------------------------------------------------------------------------- class path, module

    /** Alone in a folder, as in a repository; a Class-Path in its manifest would be looked for there. */
    @Test
    void javacHasNothingToSayOfIt() throws IOException {
        Path alone = Files.copy(JAR.path(), folder.resolve("labyrinth-1.jar"));

        assertThat(compiled(List.of("-cp", alone + ":" + ChildJvm.home(NullMarked.class)))).isEmpty();
        Path module = Files.writeString(folder.resolve("module-info.java"), "module user { requires io.labyrinth; }");
        assertThat(compiled(List.of("-p", alone + ":" + ChildJvm.home(Logger.class) + ":"
                + ChildJvm.home(NullMarked.class), module.toString()))).isEmpty();
    }

    private String compiled(List<String> path) throws IOException {
        Path source = Files.writeString(folder.resolve("User.java"), USER);
        StringWriter said = new StringWriter();
        ToolProvider.findFirst("javac").orElseThrow().run(new PrintWriter(said), new PrintWriter(said),
                Stream.concat(Stream.of("-Xlint:all", "-Werror", "-d",
                        folder.resolve("classes").toString(), source.toString()), path.stream()).toArray(String[]::new));
        return said.toString();
    }

    @Test
    void isAModuleThatExportsTheApi() {
        ModuleReference module = ModuleFinder.of(JAR.path()).find("io.labyrinth").orElseThrow();

        assertThat(module.descriptor().exports()).noneMatch(exported -> exported.isQualified())
                .extracting(exported -> exported.source()).containsExactlyInAnyOrderElementsOf(exported());
        assertThat(module.descriptor().packages()).contains("io.labyrinth.bindings").doesNotContain("io.labyrinth.cli");
        assertThat(module.descriptor().opens()).isEmpty();
    }

    private static List<String> exported() {
        return List.of("io.labyrinth", "io.labyrinth.arrow", "io.labyrinth.jmx", "io.labyrinth.map",
                "io.labyrinth.micrometer", "io.labyrinth.netty");
    }

    @Test
    void hasItsLicenceAndNothingOfTheCommandLine() throws IOException {
        assertThat(JAR.names()).doesNotHaveDuplicates().contains("META-INF/LICENSE", "META-INF/NOTICE",
                "META-INF/MANIFEST.MF", "module-info.class", "labyrinth.jfc").noneMatch(name -> name.contains("/cli/"));
        assertThat(JAR.attributes().getValue(Attributes.Name.CLASS_PATH)).isNull();
        assertThat(JAR.attributes().getValue(Attributes.Name.MAIN_CLASS)).isNull();
    }

    // ------------------------------------------------------------------------------------------- OSGi

    @Test
    void itsBundleExportsTheSameAndRequiresSlf4jAlone() throws IOException {
        List<String> exported = clauses(Constants.EXPORT_PACKAGE);
        assertThat(exported).extracting(clause -> clause.split(";")[0]).containsExactlyInAnyOrderElementsOf(exported());
        assertThat(clauses(Constants.IMPORT_PACKAGE).stream().filter(clause -> !clause.contains("resolution:=optional"))
                .toList()).singleElement().asString().startsWith("org.slf4j;version=");
    }

    /** Of a header; a comma between quotes separates nothing. */
    private static List<String> clauses(String header) throws IOException {
        return Arrays.asList(JAR.attributes().getValue(header).split(",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)"));
    }

    @Test
    void aBundleThatImportsItResolvesAndRuns() throws Exception {
        assertThat(compiled(List.of("-cp", JAR.path() + ":" + ChildJvm.home(NullMarked.class)))).isEmpty();

        ChildJvm.Result child = ChildJvm.ofAll(Bundles.class).with(folder.toString(), JAR.path().toString(),
                folder.resolve("classes/user/User.class").toString()).run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out()).isEqualTo("opened 4096\nnot found: io.labyrinth.bindings.Native\n");
    }
}
