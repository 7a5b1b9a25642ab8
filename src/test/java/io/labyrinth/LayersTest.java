package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.kit.ChildJvm;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.lang.classfile.constantpool.Utf8Entry;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Checks by the class files that the layers of the core keep the order of the core's package-info. */
class LayersTest {

    private static final String API = "io.labyrinth";
    private static final String OS = "io.labyrinth.internal.os";
    private static final String PAGE_MAP = "io.labyrinth.internal.pagemap";
    /** From the top. */
    private static final List<String> LAYERS = List.of(API, OS, PAGE_MAP);

    /** Named below their layer, for the reasons that package-info gives. */
    private static final Set<String> NAMED_BELOW = Set.of(API + ".LabyrinthException", API + ".Locking");

    private static final int LARGEST_CYCLE = 7;

    /** A type within a descriptor. */
    private static final Pattern TYPE = Pattern.compile("L([\\w/$]+)[;<]");

    /** What each class of the core names. Nested classes count as the one that they are in. */
    private static Map<String, Set<String>> names() {
        Map<String, Set<String>> names = new TreeMap<>();
        Path classes = Path.of(ChildJvm.home(Labyrinth.class));
        for (String layer : LAYERS) {
            try (Stream<Path> files = Files.list(classes.resolve(layer.replace('.', '/')))) {
                for (Path file : files.filter(name -> name.toString().endsWith(".class")).toList()) {
                    ClassModel model = ClassFile.of().parse(file);
                    String type = outermost(model.thisClass().asInternalName());
                    names.computeIfAbsent(type, first -> new TreeSet<>()).addAll(namedBy(model));
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        names.forEach((type, named) -> named.remove(type));
        return names;
    }

    private static Set<String> namedBy(ClassModel model) {
        Set<String> named = new TreeSet<>();
        for (PoolEntry entry : model.constantPool()) {
            if (entry instanceof ClassEntry type && !type.asInternalName().startsWith("[")) {
                named.add(outermost(type.asInternalName()));
            } else if (entry instanceof Utf8Entry text) {    // descriptors are nothing else
                TYPE.matcher(text.stringValue()).results().forEach(type -> named.add(outermost(type.group(1))));
            }
        }
        return named;
    }

    private static String outermost(String type) {
        return type.replace('/', '.').replaceFirst("\\$.*", "");
    }

    private static String packageOf(String type) {
        return type.replaceFirst("\\.[^.]*$", "");
    }

    private static List<String> upwards(Map<String, Set<String>> names) {
        List<String> upwards = new ArrayList<>();
        names.forEach((from, named) -> named.forEach(to -> {
            int layer = LAYERS.indexOf(packageOf(to));
            boolean ours = to.startsWith("io.labyrinth.") && !packageOf(to).equals("io.labyrinth.bindings");
            if (ours && layer < LAYERS.indexOf(packageOf(from)) && !NAMED_BELOW.contains(to)) {
                upwards.add(from + " -> " + to);
            }
        }));
        return upwards;
    }

    @Test
    void noClassNamesOneOfALayerAboveIt() {
        assertThat(upwards(names())).isEmpty();
    }

    @Test
    void whatIsNamedBelowItsLayerNamesNothing() {
        Map<String, Set<String>> names = names();
        assertThat(NAMED_BELOW).allSatisfy(type ->
                assertThat(names.get(type)).noneMatch(named -> named.startsWith("io.labyrinth.")));
    }

    @Test
    void findsAnEdgeThatRunsUp() {
        Map<String, Set<String>> names = names();
        names.get(PAGE_MAP + ".Zone").add(OS + ".Flight");
        assertThat(upwards(names)).containsExactly(PAGE_MAP + ".Zone -> " + OS + ".Flight");
    }

    @Test
    void thePageMapAsksNobodyForAnything() {
        names().forEach((type, named) -> {
            if (packageOf(type).equals(PAGE_MAP)) {
                assertThat(named).as(type).noneMatch(name -> name.matches("java\\.io\\..*|java\\.nio\\..*|java\\.net\\..*"
                        + "|java\\.time\\..*|java\\.util\\.logging\\..*|org\\.slf4j\\..*|java\\.lang\\.System"
                        + "|java\\.lang\\.management\\..*|java\\.lang\\.foreign\\.(Linker|SymbolLookup)"));
            }
        });
    }

    @Test
    void noCycleIsLarge() {
        Map<String, Set<String>> names = names();
        Map<String, Set<String>> reached = new HashMap<>();
        names.keySet().forEach(type -> reached.put(type, reachedFrom(type, names)));
        names.keySet().forEach(type -> {
            Set<String> cycle = new TreeSet<>(reached.get(type));
            cycle.removeIf(other -> !reached.getOrDefault(other, Set.of()).contains(type));
            assertThat(cycle).as("the cycle of %s", type).hasSizeLessThanOrEqualTo(LARGEST_CYCLE);
        });
    }

    private static Set<String> reachedFrom(String type, Map<String, Set<String>> names) {
        Set<String> reached = new TreeSet<>();
        Deque<String> left = new ArrayDeque<>(names.get(type));
        while (!left.isEmpty()) {
            String next = left.pop();
            if (names.containsKey(next) && reached.add(next)) {
                left.addAll(names.get(next));
            }
        }
        return reached;
    }
}
