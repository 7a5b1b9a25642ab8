package io.labyrinth.map;

import io.labyrinth.LabyrinthMap;
import io.labyrinth.LabyrinthMap.Run;
import java.util.Arrays;
import java.util.List;

/**
 * A map, painted as cells in the order of the pfns. All cells have the same number of frames. A cell has the colour of
 * the entry that most of its frames have, free frames aside. The colour is paler if more of the cell is free. So no
 * frame that is out disappears in a large cell.
 */
final class Chart {

    static final int FULL = 255;

    final Legend legend;
    /** By entry of the legend: its frames in the whole labyrinth. */
    final long[] frames;
    final int framesPerCell;
    /** By cell: its entry of the legend. */
    final byte[] entry;
    /** By cell: its share that is not free, 0 to 255. It is 0 only if all of the cell is free. */
    final int[] share;

    private final int all;

    /**
     * @param leastPerCell a power of two
     * @param mostCells    the frames of a cell are doubled until there are at most so many cells
     */
    Chart(LabyrinthMap map, ColorBy by, long[] nanos, int leastPerCell, int mostCells) {
        this.legend = new Legend(map, by, nanos);
        this.all = map.frames();
        int perCell = leastPerCell;
        while ((all - 1) / perCell + 1 > mostCells) {
            perCell *= 2;
        }
        this.framesPerCell = perCell;
        int cells = (all - 1) / perCell + 1;
        this.entry = new byte[cells];
        this.share = new int[cells];
        this.frames = new long[legend.entries.size()];
        paint(map.runs());
    }

    private void paint(List<Run> runs) {
        int[] parts = new int[frames.length];
        int cell = 0;
        for (int i = 0; i < runs.size(); i++) {
            Run run = runs.get(i);
            int what = legend.of(run, i);
            int end = Math.min(all, run.pfn() + run.frames());
            frames[what] += end - run.pfn();
            for (int pfn = run.pfn(); pfn < end;) {
                int next = Math.min(end, (cell + 1) * framesPerCell);
                parts[what] += next - pfn;
                pfn = next;
                if (pfn == Math.min(all, (cell + 1) * framesPerCell)) {
                    finish(cell++, parts);
                }
            }
        }
    }

    private void finish(int cell, int[] parts) {
        int most = -1;
        int out = 0;
        int sum = 0;
        for (int what = 0; what < parts.length; what++) {
            boolean free = legend.entries.get(what).free();
            sum += parts[what];
            out += free ? 0 : parts[what];
            boolean more = most < 0 || (free == legend.entries.get(most).free() ? parts[what] > parts[most]
                    : parts[what] > 0 && !free);
            most = more ? what : most;
        }
        entry[cell] = (byte) most;
        share[cell] = out == 0 ? 0 : Math.max(1, (int) ((long) FULL * out / sum));
        Arrays.fill(parts, 0);
    }

    Legend.Entry entryOf(int cell) {
        return legend.entries.get(entry[cell]);
    }

    /** The colour of the cell's entry, mixed with the colour of free frames. At least a quarter is the entry's. */
    int rgb(int cell) {
        int colour = entryOf(cell).rgb();
        if (share[cell] == 0) {
            return colour;
        }
        int ground = legend.entries.getFirst().rgb();
        int weight = FULL / 4 + share[cell] * (FULL - FULL / 4) / FULL;
        int mixed = 0;
        for (int shift = 0; shift <= 16; shift += 8) {
            int part = ((colour >> shift & FULL) * weight + (ground >> shift & FULL) * (FULL - weight)) / FULL;
            mixed |= part << shift;
        }
        return mixed;
    }
}
