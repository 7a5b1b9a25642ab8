package io.labyrinth.kit;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeTransform;
import java.lang.classfile.Label;
import java.lang.classfile.MethodModel;
import java.lang.classfile.MethodTransform;
import java.lang.classfile.instruction.ExceptionCatch;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.classfile.instruction.LabelTarget;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Loads the classes of Labyrinth and gives those that a program names a hook before each of their calls. There a test
 * may throw an error or stop the thread. The shipped classes have no hooks. It is for child JVMs, because Labyrinth
 * must be on the class path and not in its named module.
 */
public final class Hooked extends ClassLoader {

    /** Where the words are changed, the advice is, the passes over both, and what else is done with a claim. */
    public static final List<String> MAP = List.of("PageMap", "Advice", "Orphans", "Zone", "PageMapScan", "Allocator");
    /** Where frames are cut into smaller pieces, and books are kept of that. */
    public static final List<String> ARENAS_AND_SLABS = List.of("FrameArena", "FrameArena$Run", "Allocator", "Slab",
            "SlabPages", "PageMap", "Advice", "Orphans");
    /** What gives back all that a labyrinth has. */
    public static final List<String> CLOSING = List.of("Labyrinth", "Closing", "Region", "Mapping", "SharedFile",
            "Slabs", "Slab", "SlabPages", "PageMapScan", "Libc", "Machine");
    private static final String PACKAGE = "io.labyrinth.";
    private static final ClassDesc HOOK = ClassDesc.of(Hook.class.getName());
    private static final MethodTypeDesc AT = MethodTypeDesc.of(ConstantDescs.CD_void, ConstantDescs.CD_String,
            ConstantDescs.CD_boolean);
    private static final String NAME = "hooked";
    /** What the try blocks of other methods call, and that alone. */
    private static final Set<String> ALWAYS_IN_TRY_BLOCKS = Set.of("PageMap.own", "PageMap.hideHeads",
            "PageMap.advise", "Advice.giveAll", "PageMap.takeBack", "PageMap.reopen", "SlabPages.reopen",
            "Allocator.finish", "Slab.zero");

    /** All calls that have a try block of a class with hooks around them. */
    private final List<String> inTryBlocks = new ArrayList<>();
    private final List<String> withHooks;

    private Hooked(ClassLoader parent, List<String> withHooks) {
        super(NAME, parent);
        this.withHooks = withHooks;
    }

    /**
     * Runs a program's main method in a copy of its class that sees hooks, with the calls in try blocks as arguments;
     * false if the caller is in that copy.
     */
    public static boolean runs(Class<?> program, List<String> withHooks) {
        if (NAME.equals(program.getClassLoader().getName())) {
            return false;
        }
        try {
            Hooked loader = new Hooked(program.getClassLoader(), withHooks);
            for (String name : withHooks) {
                loader.loadClass(packageOf(name) + name);
            }
            Method main = loader.loadClass(program.getName()).getMethod("main", String[].class);
            main.setAccessible(true);
            main.invoke(null, (Object) loader.inTryBlocks.toArray(String[]::new));
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(program.getName(), e);
        }
        return true;
    }

    /** The layers' classes have names of their own, so that a name says which is meant. */
    private static String packageOf(String name) {
        return Stream.of(PACKAGE, PACKAGE + "internal.pagemap.", PACKAGE + "internal.os.").filter(folder ->
                Hooked.class.getClassLoader().getResource((folder + name).replace('.', '/') + ".class") != null)
                .findFirst().orElseThrow(() -> new AssertionError(name));
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (!name.startsWith(PACKAGE)) {
            return super.loadClass(name, resolve);
        }
        synchronized (getClassLoadingLock(name)) {
            Class<?> loaded = findLoadedClass(name);
            if (loaded == null) {
                byte[] bytes = bytes(name);
                if (withHooks.contains(name.substring(name.lastIndexOf('.') + 1))) {
                    bytes = hooked(bytes);
                }
                loaded = defineClass(name, bytes, 0, bytes.length);
            }
            return loaded;
        }
    }

    private byte[] bytes(String name) throws ClassNotFoundException {
        try (InputStream in = getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
            if (in == null) {
                throw new ClassNotFoundException(name);
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new ClassNotFoundException(name, e);
        }
    }

    private byte[] hooked(byte[] bytes) {
        ClassFile classes = ClassFile.of();
        ClassModel model = classes.parse(bytes);
        String type = model.thisClass().asSymbol().displayName();
        return classes.transformClass(model, (builder, element) -> {
            if (element instanceof MethodModel method) {
                String place = type + "." + method.methodName().stringValue();
                builder.transformMethod(method, MethodTransform.transformingCode(new InFrontOfCalls(place)));
            } else {
                builder.with(element);
            }
        });
    }

    /** One method's hooks. Whether a call is in a try block shows in the labels that came before it. */
    private final class InFrontOfCalls implements CodeTransform {

        private final String method;
        private final List<ExceptionCatch> catches = new ArrayList<>();
        private int blocks;
        private int calls;

        InFrontOfCalls(String method) {
            this.method = method;
        }

        @Override
        public void accept(CodeBuilder builder, CodeElement element) {
            switch (element) {
                case ExceptionCatch handler -> catches.add(handler);
                case LabelTarget target -> blocks += beginningsAt(target.label());
                case InvokeInstruction call -> {
                    String place = method + "#" + calls++ + ":" + call.name().stringValue();
                    boolean inTryBlock = blocks > 0 || ALWAYS_IN_TRY_BLOCKS.contains(method);
                    if (inTryBlock && !method.startsWith("PageMapScan")) {
                        inTryBlocks.add(place);
                    }
                    builder.loadConstant(place).loadConstant(inTryBlock ? 1 : 0).invokestatic(HOOK, "at", AT);
                }
                default -> { }
            }
            builder.with(element);
        }

        /** Try blocks that begin here, less those that end here. */
        private int beginningsAt(Label label) {
            int sum = 0;
            for (ExceptionCatch handler : catches) {
                sum += handler.tryStart().equals(label) ? 1 : 0;
                sum -= handler.tryEnd().equals(label) ? 1 : 0;
            }
            return sum;
        }
    }
}
