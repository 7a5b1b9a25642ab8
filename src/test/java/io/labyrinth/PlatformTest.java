package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.internal.os.Machine;
import io.labyrinth.kit.ChildJvm;
import java.lang.module.Configuration;
import java.lang.module.ModuleFinder;
import java.lang.reflect.InvocationTargetException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;

/**
 * Environments in which no labyrinth can open: another operating system, or a module layer without the right to native
 * calls.
 */
class PlatformTest {

    @Test
    void anotherSystemIsRefusedInASentence() {
        ChildJvm.Result child = ChildJvm.of(EveryWayIn.class).jvm("-Dos.name=Mac OS X").run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out()).isEqualTo("UnsupportedSystem: os.name=Mac OS X needed=Linux: a labyrinth's memory is"
                + " mapped and locked by system calls of Linux, on x86-64 or Armv8; run it there, for example in a"
                + " container or a virtual machine. Elsewhere its classes load, but nothing opens or attaches\n");
    }

    // ------------------------------------------------------------------------------------------- a layer

    @Test
    void whoeverDefinesALayerIsToldHowToGrantNativeAccessThere() {
        ChildJvm.Result child = ChildJvm.denied(InALayer.class, false).jvm("--enable-native-access=ALL-UNNAMED").with(
                ChildJvm.home(Labyrinth.class), ChildJvm.home(Logger.class)).run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out()).isEqualTo("NativeAccessDenied: native access is denied to module=io.labyrinth, which is"
                + " in a layer of its own, where --enable-native-access does not reach it: the code that defines the"
                + " layer must call enableNativeAccess(layer.findModule(\"io.labyrinth\").get()) on its"
                + " ModuleLayer.Controller\n"
                + "opened, as the sentence says\n");
    }

    // ------------------------------------------------------------------------------------------- in the child

    /** And the same answer from each. */
    static final class EveryWayIn {

        private static String first;

        public static void main(String[] args) {
            refused(() -> Labyrinth.builder("nowhere").open());
            refused(() -> Labyrinth.builder("nowhere").memfd().open());
            refused(() -> Labyrinth.attach(Path.of("/dev/shm/none")));
            refused(() -> Labyrinth.attach(0, Locking.NONE));
            refused(() -> LabyrinthMap.of(Path.of("/dev/shm/none")));
            refused(Machine::pageSize);
            refused(Machine::lockLimitSoft);
            System.out.println(first);
        }

        private static void refused(Runnable call) {
            String said = "not refused";
            try {
                call.run();
            } catch (LabyrinthException e) {
                said = e.getClass().getSimpleName() + ": " + e.getMessage();
            }
            if (first != null && !first.equals(said)) {
                throw new AssertionError("not the same everywhere: " + first + ", " + said);
            }
            first = said;
        }
    }

    /** The library as a module of a layer that the program defines. */
    static final class InALayer {

        @SuppressWarnings("restricted")
        public static void main(String[] args) throws ReflectiveOperationException {
            Configuration configuration = ModuleLayer.boot().configuration().resolve(
                    ModuleFinder.of(Path.of(args[0]), Path.of(args[1])), ModuleFinder.of(), Set.of("io.labyrinth"));
            // Not by the class path's loader, which has the same classes in no module.
            ModuleLayer.Controller controller = ModuleLayer.defineModulesWithOneLoader(configuration,
                    List.of(ModuleLayer.boot()), ClassLoader.getPlatformClassLoader());
            Class<?> labyrinth = controller.layer().findLoader("io.labyrinth").loadClass("io.labyrinth.Labyrinth");
            open(labyrinth);
            controller.enableNativeAccess(controller.layer().findModule("io.labyrinth").get());
            open(labyrinth);
        }

        private static void open(Class<?> labyrinth) throws ReflectiveOperationException {
            Object builder = labyrinth.getMethod("builder", String.class).invoke(null, "layer");
            try {
                Object opened = builder.getClass().getMethod("open").invoke(builder);
                labyrinth.getMethod("close").invoke(opened);
                System.out.println("opened, as the sentence says");
            } catch (InvocationTargetException e) {
                System.out.println(e.getCause().getClass().getSimpleName() + ": " + e.getCause().getMessage());
            }
        }
    }
}
