package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.bindings.Native;
import io.labyrinth.internal.pagemap.Geometry;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.kit.ChildJvm;
import java.io.IOException;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.PaddingLayout;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * C and Java share one definition. The test asks the system's C compiler for every number that the Java side relies on.
 * It takes the list of numbers from the bindings themselves, so no new one can be forgotten.
 */
class LayoutTest {

    /**
     * Words that PageWord builds and that C builds out of the header's numbers, for the same life of the same frame.
     */
    private static final long GENERATION = 0x9A_BCDE_F012L;
    private static final int PFN = 0x54_3210;
    private static final int ORDER = 7;

    @TempDir
    private Path folder;

    @Test
    void everyConstantSizeAndOffsetIsWhatTheCompilerSays() throws Exception {
        Map<String, Long> java = new TreeMap<>();
        for (Method constant : constants()) {
            java.put(constant.getName(), ((Number) constant.invoke(null)).longValue());
        }
        for (GroupLayout struct : structs()) {
            layout(struct, java);
        }
        assertThat(java).as("what reflection finds").containsKeys("LABYRINTH_FREE", "MAP_ANONYMOUS", "EAGAIN",
                "sizeof(struct labyrinth_page)", "offsetof(struct labyrinth_advice, maybe_free)",
                "offsetof(struct rlimit, rlim_max)").hasSizeGreaterThan(60);

        assertThat(askC(java.keySet().stream().toList())).isEqualTo(java);
    }

    @Test
    void everyNumberOfTheHeaderHasABinding() throws Exception {
        String macros = run("cc", "-E", "-dM", "-include", header().toString(), "-x", "c", "/dev/null");
        List<String> defined = new ArrayList<>();
        for (String line : macros.split("\n")) {
            if (line.matches("#define LABYRINTH_\\w+ .+")) {
                defined.add(line.split(" ")[1]);
            }
        }
        for (String line : Files.readAllLines(header())) {
            if (line.matches(" +LABYRINTH_\\w+ = .*,")) {
                defined.add(line.strip().split(" ")[0]);
            }
        }
        List<String> bound = constants().stream().map(Method::getName)
                .filter(name -> name.startsWith("LABYRINTH_")).toList();

        assertThat(defined).hasSizeGreaterThan(20).containsExactlyInAnyOrderElementsOf(bound);
    }

    /**
     * The shifts and masks are PageWord's own arithmetic, so words are compared, not only the numbers they come from.
     */
    @Test
    void wordsHandlesAndOwnersAreBuiltAsTheHeaderDrawsThem() throws Exception {
        long free = PageWord.first(GENERATION, PageWord.FREE, ORDER);
        long head = PageWord.claimed(free, PageWord.TENANT | PageWord.EXCLUSIVE);
        Thread platform = Thread.currentThread();
        Thread virtual = Thread.ofVirtual().unstarted(() -> { });
        String tenant = " | (uint64_t) LABYRINTH_TENANT_PRIVATE << LABYRINTH_TENANT_SHIFT";
        String exclusive = " | (uint64_t) LABYRINTH_EXCLUSIVE << LABYRINTH_FLAGS_SHIFT";
        Map<String, Long> java = new TreeMap<>();
        java.put(word("LABYRINTH_FREE", GENERATION, ORDER), free);
        java.put(word("LABYRINTH_HEAD", GENERATION, ORDER) + tenant + exclusive, head);
        java.put(word("LABYRINTH_HEAD", GENERATION, ORDER) + tenant, PageWord.claimed(free, PageWord.TENANT));
        java.put(word("LABYRINTH_HEAD", GENERATION, 3) + tenant + exclusive, PageWord.resized(head, 3));
        java.put(word("LABYRINTH_TAIL", GENERATION, 0), PageWord.joined(head));
        java.put(word("LABYRINTH_IN_TRANSIT", GENERATION + 1, ORDER) + tenant + exclusive, PageWord.inTransit(head));
        java.put(word("LABYRINTH_HEAD", GENERATION + 1, ORDER) + tenant + exclusive,
                PageWord.accepted(PageWord.inTransit(head), PageWord.TENANT | PageWord.EXCLUSIVE));
        java.put(word("LABYRINTH_FREE", GENERATION + 1, ORDER), PageWord.released(head));
        java.put(word("LABYRINTH_QUARANTINED", GENERATION, ORDER), PageWord.quarantined(head));
        java.put("(uint64_t) " + GENERATION + " << LABYRINTH_PFN_BITS | " + PFN, PageWord.handle(head, PFN));
        java.put(owner(platform), PageWord.owner(platform, head));
        java.put(owner(virtual) + " | LABYRINTH_OWNER_VIRTUAL", PageWord.owner(virtual, head));
        java.put("(1ULL << LABYRINTH_GENERATION_BITS) - 1", PageWord.LAST_GENERATION);
        java.put("(1ULL << LABYRINTH_PFN_BITS) - 1", PageWord.LOW_MASK);
        java.put("LABYRINTH_MAX_FRAMES + 0", (long) Labyrinth.MAX_FRAMES);
        java.put("LABYRINTH_MAX_ORDER + 0", (long) Labyrinth.MAX_ORDER);
        java.put("1 << LABYRINTH_ROW_ORDER", (long) Labyrinth.ROW_FRAMES);

        assertThat(askC(java.keySet().stream().toList())).isEqualTo(java);
    }

    /** The geometry that PageMap relies on without saying so in code. */
    @Test
    void fieldsTileTheWordAndAFrameCostsLessThan24Bytes() throws Exception {
        List<String> facts = List.of(
                "LABYRINTH_STATE_SHIFT + LABYRINTH_STATE_BITS == LABYRINTH_ORDER_SHIFT",
                "LABYRINTH_ORDER_SHIFT + LABYRINTH_ORDER_BITS == LABYRINTH_FLAGS_SHIFT",
                "LABYRINTH_FLAGS_SHIFT + LABYRINTH_FLAGS_BITS == LABYRINTH_TENANT_SHIFT",
                "LABYRINTH_TENANT_SHIFT + LABYRINTH_TENANT_BITS == LABYRINTH_GENERATION_SHIFT",
                "LABYRINTH_GENERATION_SHIFT + LABYRINTH_GENERATION_BITS == 64",
                "LABYRINTH_GENERATION_SHIFT == LABYRINTH_PFN_BITS",
                "LABYRINTH_MAX_FRAMES == 1 << LABYRINTH_PFN_BITS",
                "LABYRINTH_QUARANTINED < 1 << LABYRINTH_STATE_BITS",
                "LABYRINTH_MAX_ORDER < 1 << LABYRINTH_ORDER_BITS",
                "LABYRINTH_OWNER_ID_BITS + LABYRINTH_OWNER_GENERATION_BITS == 63",
                "sizeof(struct labyrinth_page) == 16",
                "sizeof(struct labyrinth_advice) == 64");

        assertThat(askC(facts)).allSatisfy((fact, holds) -> assertThat(holds).as(fact).isOne());
        assertThat(Geometry.bytesFor(Labyrinth.MAX_FRAMES)).isLessThan(24L * Labyrinth.MAX_FRAMES);
        assertThat(Geometry.bytesFor(1024)).isLessThan(24L * 1024);
    }

    private static String word(String state, long generation, int order) {
        return "(uint64_t) " + generation + " << LABYRINTH_GENERATION_SHIFT | " + order + " << LABYRINTH_ORDER_SHIFT | "
                + state + " << LABYRINTH_STATE_SHIFT";
    }

    private static String owner(Thread thread) {
        return "(" + GENERATION + " & ((1ULL << LABYRINTH_OWNER_GENERATION_BITS) - 1)) << LABYRINTH_OWNER_ID_BITS | "
                + thread.threadId();
    }

    /** jextract gives a constant as a method without parameters that returns a number. */
    private static List<Method> constants() {
        return Stream.of(Native.class.getDeclaredMethods()).filter(method -> Modifier.isPublic(method.getModifiers())
                && method.getParameterCount() == 0
                && (method.getReturnType() == int.class || method.getReturnType() == long.class)).toList();
    }

    /** And a struct as a class of its own with a method {@code layout}. */
    private static List<GroupLayout> structs() throws Exception {
        List<GroupLayout> structs = new ArrayList<>();
        String folder = Native.class.getPackageName().replace('.', '/');
        try (Stream<Path> files = Files.list(Path.of(ChildJvm.home(Native.class), folder))) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString().replace(".class", "");
                if (!name.contains("$") && !name.equals("Native")) {
                    Class<?> struct = Class.forName(Native.class.getPackageName() + "." + name);
                    structs.add((GroupLayout) struct.getMethod("layout").invoke(null));
                }
            }
        }
        return structs;
    }

    private static void layout(GroupLayout struct, Map<String, Long> numbers) {
        String type = "struct " + struct.name().orElseThrow();
        numbers.put("sizeof(" + type + ")", struct.byteSize());
        numbers.put("_Alignof(" + type + ")", struct.byteAlignment());
        for (MemoryLayout member : struct.memberLayouts()) {
            if (!(member instanceof PaddingLayout)) {
                String name = member.name().orElseThrow();
                numbers.put("offsetof(" + type + ", " + name + ")",
                        struct.byteOffset(MemoryLayout.PathElement.groupElement(name)));
                numbers.put("sizeof(((" + type + " *) 0)->" + name + ")", member.byteSize());
            }
        }
    }

    private Map<String, Long> askC(List<String> expressions) throws Exception {
        StringBuilder c = new StringBuilder("#include \"" + header().resolveSibling("libc.h") + "\"\n#include \""
                + header() + "\"\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n");
        for (String expression : expressions) {
            c.append("printf(\"%lld\\n\", (long long) (").append(expression).append("));\n");
        }
        Path source = Files.writeString(folder.resolve("layout.c"), c.append("return 0;\n}\n"));
        Path program = folder.resolve("layout");
        run("cc", "-std=gnu11", "-o", program.toString(), source.toString());
        String[] answers = run(program.toString()).split("\n");
        assertThat(answers).hasSameSizeAs(expressions);
        Map<String, Long> numbers = new TreeMap<>();
        for (int i = 0; i < answers.length; i++) {
            numbers.put(expressions.get(i), Long.valueOf(answers[i]));
        }
        return numbers;
    }

    private static Path header() {
        return Path.of("native", "labyrinth.h").toAbsolutePath();
    }

    private static String run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor()).as("%s: %s", String.join(" ", command), output).isZero();
        return output;
    }
}
