package io.labyrinth;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.invoke.MethodHandles;
import java.util.List;

/**
 * A program for {@link NothingLostTest}: takes each step again and again, with an error at its first call, its second,
 * and so on, until it succeeds. {@link DeepStack} meets the errors that a full stack makes where the stack happens to
 * end; here they strike everywhere, as the core's classes are loaded with one call more in front of each call.
 */
final class EveryCall {

    /** Where a claim can be lost. In the faces nothing is called behind a claim, but for what never needs stack. */
    private static final List<String> CLASSES = List.of("PageMap", "Strays", "Zone");

    private static final StackOverflowError ERROR = new StackOverflowError("planted");

    private static int left;
    private static boolean again;
    private static boolean struck;

    private EveryCall() {
    }

    public static void main(String[] args) throws Exception {
        for (String name : CLASSES) {
            MethodHandles.lookup().defineClass(withCalls(name));
        }
        Thread.setDefaultUncaughtExceptionHandler((thread, e) -> {
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
        });
        Thread.ofPlatform().start(EveryCall::all).join();
        Thread.ofVirtual().start(EveryCall::all).join();
    }

    private static byte[] withCalls(String name) throws IOException {
        ClassDesc here = ClassDesc.of(EveryCall.class.getName());
        try (InputStream in = EveryCall.class.getResourceAsStream(name + ".class")) {
            ClassFile file = ClassFile.of();
            return file.transformClass(file.parse(in.readAllBytes()),
                    ClassTransform.transformingMethodBodies((code, element) -> {
                        if (element instanceof InvokeInstruction) {
                            code.invokestatic(here, "call", ConstantDescs.MTD_void);
                        }
                        code.with(element);
                    }));
        }
    }

    /** In front of each call of the core. */
    static void call() {
        if (left > 0 && --left == 0) {
            struck = true;
            left = again ? 1 : 0;
            throw ERROR;
        }
    }

    private static void all() {
        try (Labyrinth labyrinth = Labyrinth.builder("calls").frames(64).reserve(8).open()) {
            for (Gfp gfp : List.of(Gfp.ATOMIC_EXCLUSIVE, Gfp.NOWAIT)) {
                for (DeepStack.Step step : DeepStack.Step.values()) {
                    everyCall(new DeepStack.Held(labyrinth, gfp), step, false);
                    everyCall(new DeepStack.Held(labyrinth, gfp), step, true);
                }
            }
            labyrinth.validate();
        }
    }

    /** @param stays whether all calls fail after the first that did, those of handlers too, until the step is over */
    private static void everyCall(DeepStack.Held held, DeepStack.Step step, boolean stays) {
        int call = 0;
        do {
            call++;
            step.prepare(held);
            boolean taken = takenWithErrorAt(call, held, step, stays);
            try {
                virtualOwnersCanBeSwept(held.labyrinth.map);
                held.check(!taken && (step.mayHaveFreed() || stays && step.mayFreeWhereAllCallsFail()));
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError(Thread.currentThread() + " " + held.gfp + " " + step + " call=" + call
                        + " stays=" + stays + " taken=" + taken, e);
            }
        } while (struck);
        System.out.println(Thread.currentThread() + " " + step + " stays=" + stays + " calls=" + (call - 1));
    }

    private static boolean takenWithErrorAt(int call, DeepStack.Held held, DeepStack.Step step, boolean stays) {
        struck = false;
        again = stays;
        left = call;
        try {
            step.take(held);
            return true;
        } catch (StackOverflowError e) {
            return false;
        } finally {
            left = 0;
        }
    }

    /** A run that is a virtual thread's must be known to be, or nobody could give it back after the thread's end. */
    private static void virtualOwnersCanBeSwept(PageMap map) {
        for (Census.Seen run : new Census(map).out()) {
            if (PageWord.isExclusive(run.word()) && PageWord.isSigned(run.word(), run.owner())
                    && PageWord.state(run.word()) == PageWord.HEAD && PageWord.isVirtual(run.owner())
                    && map.virtualOwner(run.pfn()) != Thread.currentThread()) {
                throw new AssertionError("pfn=" + run.pfn() + " cannot be swept");
            }
        }
    }
}
