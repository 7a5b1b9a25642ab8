package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.LabyrinthException.InvalidRequest;
import io.labyrinth.internal.pagemap.GfpFlags;
import io.labyrinth.internal.pagemap.PageWord;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The request flags: which combinations are allowed, and which are refused with the reason. */
class GfpTest {

    private static final List<Gfp> ALL = List.of(Gfp.HIGH, Gfp.ZERO, Gfp.EXCLUSIVE, Gfp.NOMEMALLOC, Gfp.NOWARN,
            Gfp.ATOMIC, Gfp.NOWAIT, Gfp.ATOMIC_EXCLUSIVE);

    @ParameterizedTest
    @CsvSource({"HIGH", "ZERO", "EXCLUSIVE", "NOMEMALLOC", "NOWARN", "ATOMIC", "NOWAIT"})
    void readsEachNameInTheKernelsSpellingsAndPrintsItAgain(String name) {
        Gfp flag = Gfp.parse(name);

        assertThat(flag).hasToString(name).isIn(ALL);
        assertThat(List.of(Gfp.parse("GFP_" + name), Gfp.parse("__GFP_" + name),
                Gfp.parse(" " + name.toLowerCase() + " "))).allMatch(flag::equals);
    }

    @Test
    void readsACombinationOfNamesAndPrintsItAgain() {
        Gfp all = Gfp.ATOMIC.with(Gfp.ZERO).with(Gfp.EXCLUSIVE).with(Gfp.NOWARN);

        assertThat(Gfp.parse("ATOMIC|ZERO|EXCLUSIVE|NOWARN")).isEqualTo(all);
        assertThat(Gfp.parse("NOWARN + EXCLUSIVE, GFP_ATOMIC|__GFP_ZERO")).isEqualTo(all);
        assertThat(Gfp.parse(all.toString())).isEqualTo(all).hasSameHashCodeAs(all);
        assertThat(Gfp.parse("ATOMIC_EXCLUSIVE")).isEqualTo(Gfp.ATOMIC.with(Gfp.EXCLUSIVE))
                .isEqualTo(Gfp.ATOMIC_EXCLUSIVE);
        assertThat(Gfp.ATOMIC_EXCLUSIVE).hasToString("ATOMIC|EXCLUSIVE");
    }

    @Test
    void eachFlagMeansWhatItsNameSays() {
        assertThat(ALL).filteredOn(flag -> GfpFlags.mayUseReserve(flag.bits()))
                .containsExactly(Gfp.HIGH, Gfp.ATOMIC, Gfp.ATOMIC_EXCLUSIVE);
        assertThat(ALL).filteredOn(flag -> GfpFlags.isSprint(flag.bits()))
                .containsExactly(Gfp.ATOMIC, Gfp.ATOMIC_EXCLUSIVE);
        assertThat(ALL).filteredOn(Gfp::isExclusive).containsExactly(Gfp.EXCLUSIVE, Gfp.ATOMIC_EXCLUSIVE);
        assertThat(ALL).filteredOn(flag -> GfpFlags.isZeroed(flag.bits())).containsExactly(Gfp.ZERO);
        assertThat(ALL).filteredOn(flag -> GfpFlags.isQuiet(flag.bits())).containsExactly(Gfp.NOWARN);
        assertThat(ALL).allMatch(flag ->
                GfpFlags.wordFlags(flag.bits()) == (flag.isExclusive() ? PageWord.EXCLUSIVE : 0));
    }

    @Test
    void combiningIsUnionAndChangesNeither() {
        for (Gfp one : ALL) {
            assertThat(one.with(one)).isEqualTo(one);
            assertThat(Gfp.NOWAIT.with(one)).isEqualTo(one);
        }
        Gfp base = Gfp.parse("NOWAIT");
        assertThat(base.with(Gfp.ZERO)).isEqualTo(Gfp.ZERO.with(base)).isNotEqualTo(base);
        assertThat(base).isEqualTo(Gfp.NOWAIT).isNotEqualTo("NOWAIT");
    }

    @ParameterizedTest
    @ValueSource(strings = {"HIGH|NOMEMALLOC", "NOMEMALLOC|ATOMIC", "ATOMIC_EXCLUSIVE|NOMEMALLOC",
        "ZERO|NOMEMALLOC|HIGH"})
    void refusesToAskForTheReserveAndToForbidIt(String text) {
        assertThatThrownBy(() -> Gfp.parse(text)).isExactlyInstanceOf(InvalidRequest.class)
                .hasMessageContainingAll("gfp=", "HIGH asks for the reserve and NOMEMALLOC forbids it",
                        "leave one out");
        assertThatThrownBy(() -> Gfp.NOMEMALLOC.with(Gfp.ATOMIC)).isExactlyInstanceOf(InvalidRequest.class);
        assertThatThrownBy(() -> Gfp.HIGH.with(Gfp.NOMEMALLOC)).isExactlyInstanceOf(InvalidRequest.class);
    }

    @ParameterizedTest
    @CsvSource({"KERNEL,sleep", "USER,sleep", "NOIO,sleep", "NOFS,sleep", "RECLAIM,reclaim", "DIRECT_RECLAIM,reclaim",
        "KSWAPD_RECLAIM,reclaimer", "RETRY_MAYFAIL,waits", "NOFAIL,waits for ever"})
    void refusesTheKernelsSleepingFlagsAndSaysWhyAndWhatToUse(String name, String why) {
        for (String spelt : List.of(name, "GFP_" + name, "__GFP_" + name, "ATOMIC|" + name,
                name.toLowerCase() + "+ZERO")) {
            assertThatThrownBy(() -> Gfp.parse(spelt)).as(spelt).isExactlyInstanceOf(InvalidRequest.class)
                    .hasMessageContainingAll("gfp=" + name + ": ", why, "an allocation here never does", "use NOWAIT");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "ATOMIC|", "|ZERO", "ATOMIC||ZERO", "ATOMIC ZERO", "DMA", "GFP_GFP_ZERO",
        "SPRINT", "0"})
    void refusesUnknownNamesAndListsTheKnownOnes(String text) {
        assertThatThrownBy(() -> Gfp.parse(text)).isExactlyInstanceOf(InvalidRequest.class)
                .hasMessageContainingAll("no such flag",
                        "ATOMIC, NOWAIT, ATOMIC_EXCLUSIVE, HIGH, ZERO, EXCLUSIVE, NOMEMALLOC");
    }
}
