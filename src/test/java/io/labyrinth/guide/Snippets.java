package io.labyrinth.guide;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.kit.ChildJvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/** The examples of a text. They are found there, compiled, and run as a user's code. */
final class Snippets {

    private Snippets() {
    }

    /** The first group of each match. */
    static List<String> blocks(String text, String pattern) {
        return Pattern.compile(pattern, Pattern.DOTALL).matcher(text).results().map(match -> match.group(1)).toList();
    }

    /** The code blocks of a page that say this language. */
    static List<String> ofMarkdown(Path page, String language) throws IOException {
        return blocks(Files.readString(page), "(?m)^```" + language + "\n(.*?)\n```$");
    }

    /** The examples in the Javadoc of a source file. */
    static List<String> ofJavadoc(Path source) throws IOException {
        return blocks(Files.readString(source), "\\{@snippet :\n(.*?)\n \\* }\n(?! \\* }\n)").stream()
                .map(snippet -> snippet.replaceAll("(?m)^ \\* ", "")).toList();
    }

    /**
     * On the class path with all that they are for, as they are most often used; each is the body of a method, all in
     * one program. What a line prints is what its comment says.
     *
     * @param folder where the program may be written
     */
    static void run(Path folder, List<String> snippets) throws IOException {
        StringBuilder calls = new StringBuilder();
        StringBuilder methods = new StringBuilder();
        for (int i = 0; i < snippets.size(); i++) {
            calls.append("recipe%s();System.out.println(\"done\");\n".formatted(i));
            methods.append("static void recipe%s() throws Exception {\n%s\n}\n".formatted(i, snippets.get(i)));
        }
        Path file = Files.writeString(folder.resolve("Recipes.java"), """
                import io.labyrinth.*;
                import io.labyrinth.arrow.*;
                import io.labyrinth.jmx.*;
                import io.labyrinth.map.*;
                import io.labyrinth.micrometer.*;
                import io.labyrinth.netty.*;
                import io.micrometer.core.instrument.*;
                import io.micrometer.core.instrument.simple.*;
                import io.netty.buffer.*;
                import java.io.*;
                import java.lang.foreign.*;
                import java.lang.management.*;
                import java.nio.ByteBuffer;
                import java.nio.channels.*;
                import java.nio.file.Path;
                import java.time.Duration;
                import java.util.ArrayList;
                import java.util.List;
                import java.util.concurrent.LinkedBlockingQueue;
                import javax.management.*;
                import jdk.jfr.*;
                import jdk.jfr.consumer.*;
                import org.apache.arrow.memory.*;

                class Recipes {
                    public static void main(String[] args) throws Exception {
                %s
                    }
                %s
                }
                """.formatted(calls, methods));

        ChildJvm.Result result = ChildJvm.sourceWithAll(file).jvm("--add-opens=java.base/java.nio=ALL-UNNAMED").run();

        assertThat(result.exit()).as(result.toString()).isZero();
        List<String> printed = List.of(result.out().split("(?m)^done\n", -1));
        assertThat(printed).hasSize(snippets.size() + 1);
        for (int i = 0; i < snippets.size(); i++) {
            assertThat(printed.get(i).lines()).as(snippets.get(i))
                    .containsAll(blocks(snippets.get(i), "println\\([^\n]*\\); +// ([^\n]*)"));
        }
    }
}
