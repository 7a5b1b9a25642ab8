package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.internal.os.NodeMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The available memory of some of the machine's nodes, read from files in the kernel's form. C counts the same. */
class NodeMemoryTest {

    @TempDir
    private Path folder;

    /** Of 24 GiB, node 0 has 2 GiB, most of it taken. Node 1 has a zone, of which 1,000 pages are kept. */
    @BeforeEach
    void aMachineOfTwoNodes() throws IOException {
        write("proc/meminfo", "MemTotal:       24684092 kB\nMemFree:  1 kB\nMemAvailable:   20000000 kB");
        write("nodes/has_memory", "0-1");
        write("nodes/node0/meminfo", meminfo(0, 100_000, 30_000, 20_000, 10_000));
        write("nodes/node1/meminfo", meminfo(1, 10_000_000, 4_000, 4_000, 1_000));
        write("proc/zoneinfo", """
                Node 0, zone      DMA
                  per-node stats
                      nr_inactive_anon 1707
                  pages free     3840
                        min      34
                        low      42
                        high     50
                        spanned  4095
                        managed  3840
                        cma      0
                        protection: (0, 3019, 7243, 7243, 7243)
                      nr_zone_inactive_anon 0
                  pagesets
                    cpu: 0
                              count:    0
                              high:     8888
                              batch:    1
                              high_min: 9999
                Node 0, zone    DMA32
                  pages free     25000
                        low      2000
                        high     3000
                        managed  500000
                        protection: (0, 0, 0, 0, 0)
                Node 1, zone   Normal
                  pages free     2500000
                        low      700
                        high     800
                        managed  3000000
                        protection: (0, 0, 0, 200)
                """);
    }

    private static String meminfo(int node, long free, long active, long inactive, long reclaimable) {
        String line = "Node " + node + " %s  %d kB\n";
        return line.formatted("MemTotal:", free * 2) + line.formatted("MemFree:", free)
                + line.formatted("Active:", 77) + line.formatted("Active(file):", active)
                + line.formatted("Inactive(file):", inactive) + line.formatted("KReclaimable:", reclaimable)
                + line.formatted("SReclaimable:", reclaimable / 2);
    }

    private void write(String file, String text) throws IOException {
        Path path = folder.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text + "\n");
    }

    /** In Java, and C says the same. */
    private long available(String allowed) throws IOException {
        write("proc/self/status", "Name: java\nMems_allowed:\t00000000,00000001\nMems_allowed_list:\t" + allowed);
        NodeMemory nodes = new NodeMemory(folder.resolve("proc"), folder.resolve("nodes"));
        long available = nodes.available(4096);
        assertThat(CgroupTest.inC(folder.resolve("proc").toString(), folder.resolve("nodes").toString(), "4096"))
                .isEqualTo((available == Long.MAX_VALUE ? "18446744073709551615" : "" + available)
                        + (nodes.isRestricted() ? " 1" : " 0"));
        return available;
    }

    @ParameterizedTest
    @CsvSource(delimiter = ' ', value = {"0-1", "0,1", "0-63", "''", "nonsense"})
    void ofAllNodesItIsWhatTheKernelSays(String allowed) throws IOException {
        assertThat(available(allowed)).isEqualTo(20_000_000L << 10);
    }

    /**
     * Free 100,000 kB, less 3,840 pages of the first zone, which higher ones may not have, and 3,000 up to the high
     * watermark; 50,000 kB of files, less 2,042 pages up to the low one; and the half of 10,000 kB.
     */
    @Test
    void ofOneNodeOnlyWhatThatHasCounts() throws IOException {
        assertThat(available("0")).isEqualTo((100_000 - 4 * 6_840 + 50_000 - 4 * 2_042 + 5_000) << 10);
    }

    @Test
    void ofTheOtherAsWell() throws IOException {
        assertThat(available("1,7")).isEqualTo((10_000_000 - 4 * 1_000 + 8_000 - 4 * 700 + 500L) << 10);
    }

    @Test
    void neverMoreThanTheMachineHas() throws IOException {
        write("proc/meminfo", "MemAvailable:   5000 kB");
        assertThat(available("1")).isEqualTo(5000 << 10);
    }

    @Test
    void nodesThatHaveNoMemoryAreNotMissed() throws IOException {
        write("nodes/has_memory", "1");
        assertThat(available("1")).isEqualTo(20_000_000L << 10);
    }

    @Test
    void whereNothingIsToldThereIsNoLimit() throws IOException {
        Files.delete(folder.resolve("proc/meminfo"));
        Files.delete(folder.resolve("nodes/has_memory"));
        assertThat(available("0")).isEqualTo(Long.MAX_VALUE);
    }
}
