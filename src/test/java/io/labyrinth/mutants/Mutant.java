package io.labyrinth.mutants;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A planted bug, as a file of {@code src/test/mutants} describes it: what it breaks, in a sentence; where; which test
 * should find it, or which several, each by itself; and the text of that source that it replaces, which must be there
 * exactly once.
 *
 * @param source a class of the core
 * @param tests  {@code Class.method} each, of this package or of one below: {@code misuse.MisuseTest.endsAsItMust}
 */
record Mutant(String name, String sentence, String source, List<String> tests, String from, String to) {

    private static final Path FOLDER = Path.of("src", "test", "mutants");
    private static final Path API = Path.of("src", "main", "java", "io", "labyrinth");
    private static final List<Path> CORE = List.of(API, API.resolve("internal/pagemap"), API.resolve("internal/os"));
    private static final Pattern FORM = Pattern.compile("(?s)(.+?)\nsource: (\\w+)\ntest: ([\\w., ]+)\n"
            + "=== from\n(.+?\n)=== to\n(.*)");

    /** All there are, by name. */
    static List<Mutant> all() throws IOException {
        List<Mutant> all = new ArrayList<>();
        try (Stream<Path> files = Files.list(FOLDER)) {
            for (Path file : files.sorted().toList()) {
                all.add(read(file));
            }
        }
        return all;
    }

    private static Mutant read(Path file) throws IOException {
        Matcher form = FORM.matcher(Files.readString(file));
        if (!form.matches()) {
            throw new IllegalStateException(file + " is not a sentence, source:, test:, === from and === to");
        }
        String name = file.getFileName().toString().replaceFirst("\\.txt$", "");
        return new Mutant(name, form.group(1).replace('\n', ' '), form.group(2), List.of(form.group(3).split(", ")),
                form.group(4), form.group(5));
    }

    Path original() {
        return CORE.stream().map(folder -> folder.resolve(source + ".java")).filter(Files::exists).findFirst()
                .orElseThrow(() -> new IllegalStateException("mutant " + name + ": there is no class " + source));
    }

    /** The source with the bug in it. */
    String planted() throws IOException {
        String text = Files.readString(original());
        int at = text.indexOf(from);
        if (at < 0 || text.indexOf(from, at + 1) >= 0) {
            throw new IllegalStateException("mutant " + name + " does not apply: its text is "
                    + (at < 0 ? "nowhere" : "more than once") + " in " + original());
        }
        return text.substring(0, at) + to + text.substring(at + from.length());
    }
}
