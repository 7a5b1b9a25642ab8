package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.kit.ChildJvm;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.spi.ToolProvider;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;

/** The core as a named module, used by another named module. None of the optional libraries is present. */
class ModuleTest {

    @TempDir
    private Path folder;

    @Test
    void aUsersModuleCompilesAndRunsWithNoneOfTheOptionalLibraries() throws IOException {
        Path module = Files.writeString(folder.resolve("module-info.java"), """
                module user {
                    requires io.labyrinth;
                }
                """);
        Path program = Files.writeString(folder.resolve("Program.java"), """
                package user;

                import io.labyrinth.Frame;
                import io.labyrinth.Gfp;
                import io.labyrinth.Labyrinth;
                import io.labyrinth.Locking;

                public class Program {
                    public static void main(String[] args) {
                        try (Labyrinth labyrinth = Labyrinth.builder("user").locking(Locking.PREFERRED).open();
                                Frame frame = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE)) {
                            labyrinth.validate();
                            System.out.println(labyrinth.getClass().getModule().getName() + " " + frame.byteSize());
                        }
                    }
                }
                """);
        Path classes = folder.resolve("classes");
        StringWriter errors = new StringWriter();
        String path = String.join(":", ChildJvm.home(Labyrinth.class), ChildJvm.home(Logger.class),
                ChildJvm.home(NullMarked.class));
        int exit = ToolProvider.findFirst("javac").orElseThrow().run(new PrintWriter(errors), new PrintWriter(errors),
                "-Xlint:all", "-d", classes.toString(), "--module-path", path, module.toString(), program.toString());
        assertThat(errors.toString()).isEmpty();
        assertThat(exit).isZero();

        ChildJvm.Result result = ChildJvm.module(classes, "user/user.Program").run();

        assertThat(result).isEqualTo(new ChildJvm.Result(0, "io.labyrinth 4096\n", ""));
    }
}
