package io.labyrinth.mutants;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class MutantTest {

    private static final String SOURCE = """
            package maze;

            /** A maze: claim() { return 1; } */
            final class Maze {

                private static final int ROWS = 512;
                private static final char BRACE = '}', QUOTE = '"';
                private final int[] turns = {1, 2};
                private final Runnable walk = () -> {
                    turn("}");
                };

                Maze(@Odd({"{", "("}) int frames) {
                    turn("{");
                }

                /** Not this: return 1; */
                @Deprecated
                int claim() {
                    // } nor this
                    if (ROWS > 1) {
                        return 1;
                    }
                    return 2;
                }

                int claim(int order) {
                    return order;
                }

                int release() {
                    return 1;
                }

                enum State {
                    FREE, HEAD
                }

                @Odd
                record Run(int pfn) {

                    Run {
                        turn(\"""
                            } " {\""");
                    }

                    int release() {
                        return 3;
                    }
                }

                int last() {
                    return 4;
                }
            }
            """;

    @Test
    void plantsInTheMethodThatIsNamedAndNowhereElse() {
        assertThat(planted("Maze.release", "return 1;")).isEqualTo(replacedLast("return 1;"));
        assertThat(planted("Maze.claim", "return 1;")).contains("/** Not this: return 1; */", "return 1;\n    }")
                .contains("            planted\n        }\n        return 2;");
        assertThat(planted("Maze.Run.release", "return 3;")).isEqualTo(replacedLast("return 3;"));
    }

    @Test
    void findsConstructorsFieldsOverloadsAndTypes() {
        assertThat(planted("Maze.Maze", "turn(\"{\");")).isEqualTo(replacedLast("turn(\"{\");"));
        assertThat(planted("Maze.ROWS", "512")).isEqualTo(replacedLast("512"));
        assertThat(planted("Maze.turns", "{1, 2}")).isEqualTo(replacedLast("{1, 2}"));
        assertThat(planted("Maze.walk", "turn(\"}\");")).isEqualTo(replacedLast("turn(\"}\");"));
        assertThat(planted("Maze.claim", "return order;")).isEqualTo(replacedLast("return order;"));
        assertThat(planted("Maze.Run.Run", "} \" {")).isEqualTo(replacedLast("} \" {"));
        assertThat(planted("Maze.Run", "@Odd\n")).isEqualTo(replacedLast("@Odd\n"));
        assertThat(planted("Maze.last", "return 4;")).isEqualTo(replacedLast("return 4;"));
    }

    @Test
    void refusesAMethodThatIsGone() {
        refuses("Maze.accept", "return 1;", "there is no Maze.accept");
        refuses("Maze.Crowd.release", "return 3;", "there is no Maze.Crowd.release");
        refuses("Run.release", "return 3;", "there is no Run.release");
    }

    @Test
    void refusesATextThatIsInAnotherMethodOnly() {
        refuses("Maze.release", "return 2;", "its text is not in Maze.release");
        refuses("Maze.release", "return 3;", "its text is not in Maze.release");
        refuses("Maze.Maze", "512", "its text is not in Maze.Maze");
    }

    @Test
    void refusesATextThatIsInTheJavadocOnly() {
        refuses("Maze.claim", "Not this", "its text is not in Maze.claim");
    }

    @Test
    void refusesATextThatRunsOverTheEndOfTheMethod() {
        refuses("Maze.release", "return 1;\n    }\n\n    enum State", "its text is not in Maze.release");
    }

    @Test
    void refusesATextThatIsInTheMethodTwice() {
        refuses("Maze.claim", "return", "its text is 3 times in Maze.claim");
    }

    /** A refactoring that takes a mutant's place away is told so at once, not when all mutants are run. */
    @Test
    void eachMutantHasItsPlace() throws IOException {
        List<String> without = new ArrayList<>();
        for (Mutant mutant : Mutant.all()) {
            try {
                mutant.planted();
            } catch (IllegalStateException e) {
                without.add(e.getMessage());
            }
        }
        assertThat(without).isEmpty();
    }

    /** So is a test that has another name or place now. */
    @Test
    void eachMutantHasItsTests() throws IOException {
        List<String> without = new ArrayList<>();
        for (Mutant mutant : Mutant.all()) {
            for (String test : mutant.tests()) {
                try {
                    FirstFailure.select(test, new ArrayList<>());
                } catch (ClassNotFoundException | IllegalArgumentException e) {
                    without.add(mutant.name() + ": " + test);
                }
            }
        }
        assertThat(without).isEmpty();
    }

    private static String planted(String source, String from) {
        return new Mutant("name", "A sentence.", source, List.of(), from, "planted").plantedIn(SOURCE);
    }

    private static String replacedLast(String from) {
        int at = SOURCE.lastIndexOf(from);
        return SOURCE.substring(0, at) + "planted" + SOURCE.substring(at + from.length());
    }

    private static void refuses(String source, String from, String sentence) {
        assertThatThrownBy(() -> planted(source, from)).isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("mutant name").hasMessageContaining(sentence);
    }
}
