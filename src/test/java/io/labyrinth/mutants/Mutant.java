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
 * A planted bug, as a file of {@code src/test/mutants} describes it: what it breaks, in a sentence; in which method;
 * which test should find it, or which several, each by itself; and the text of that method that it replaces. The text
 * must be there exactly once. What the rest of the file has does not count.
 *
 * @param source a class of the core and a member of it, as {@link Members} names it: {@code PageMap.claim}
 * @param tests  {@code Class.method} each, of this package or of one below: {@code misuse.MisuseTest.endsAsItMust}
 */
record Mutant(String name, String sentence, String source, List<String> tests, String from, String to) {

    private static final Path FOLDER = Path.of("src", "test", "mutants");
    private static final Path API = Path.of("src", "main", "java", "io", "labyrinth");
    private static final List<Path> CORE = List.of(API, API.resolve("internal/pagemap"), API.resolve("internal/os"));
    private static final Pattern FORM = Pattern.compile("(?s)(.+?)\nsource: (\\w+(?:\\.\\w+)+)\ntest: ([\\w., ]+)\n"
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
            throw new IllegalStateException(file + " is not a sentence, source: Class.method, test:,"
                    + " === from and === to");
        }
        String name = file.getFileName().toString().replaceFirst("\\.txt$", "");
        return new Mutant(name, form.group(1).replace('\n', ' '), form.group(2), List.of(form.group(3).split(", ")),
                form.group(4), form.group(5));
    }

    Path original() {
        String type = source.substring(0, source.indexOf('.'));
        return CORE.stream().map(folder -> folder.resolve(type + ".java")).filter(Files::exists).findFirst()
                .orElseThrow(() -> new IllegalStateException("mutant " + name + ": there is no class " + type));
    }

    /** The source with the bug in it. */
    String planted() throws IOException {
        return plantedIn(Files.readString(original()));
    }

    String plantedIn(String text) {
        List<Members.Place> places = Members.of(text, source);
        if (places.isEmpty()) {
            throw new IllegalStateException("mutant " + name + " does not apply: there is no " + source
                    + " any more; name the method that has its text now");
        }
        List<Integer> found = places.stream().flatMap(place -> found(text, place)).toList();
        if (found.size() != 1) {
            throw new IllegalStateException("mutant " + name + " does not apply: its text is "
                    + (found.isEmpty() ? "not" : found.size() + " times") + " in " + source);
        }
        int at = found.getFirst();
        return text.substring(0, at) + to + text.substring(at + from.length());
    }

    private Stream<Integer> found(String text, Members.Place place) {
        return Stream.iterate(text.indexOf(from, place.from()), at -> at >= 0 && at + from.length() <= place.to(),
                at -> text.indexOf(from, at + 1));
    }
}
