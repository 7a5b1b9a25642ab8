package io.labyrinth.map;

import io.labyrinth.LabyrinthMap;
import io.labyrinth.LabyrinthMap.Run;
import java.util.List;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Looks at a labyrinth again and again, and remembers since which look each run has been as it is. Any thread may use
 * it.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("net-rx").frames(1024).open()) {
 *     MapWatch watch = new MapWatch(labyrinth::map);           // or () -> LabyrinthMap.of(path), from outside
 *     System.out.print(watch.look().text(ColorBy.STATE, false));
 * }
 * }
 */
public final class MapWatch {

    private final Supplier<LabyrinthMap> source;
    private final LongSupplier nanoTime;
    private @Nullable LabyrinthMap last;
    private long[] since = {};

    public MapWatch(Supplier<LabyrinthMap> source) {
        this(source, System::nanoTime);
    }

    MapWatch(Supplier<LabyrinthMap> source, LongSupplier nanoTime) {
        this.source = source;
        this.nanoTime = nanoTime;
    }

    /** Takes a new map. Throws what the source throws. */
    public synchronized MapPicture look() {
        LabyrinthMap map = source.get();
        long now = nanoTime.getAsLong();
        List<Run> runs = map.runs();
        List<Run> before = last == null ? List.of() : last.runs();
        long[] nanos = new long[runs.size()];
        long[] fresh = new long[runs.size()];
        int old = 0;
        for (int i = 0; i < fresh.length; i++) {
            Run run = runs.get(i);
            while (old < before.size() && before.get(old).pfn() < run.pfn()) {
                old++;
            }
            // The end of a claim changes the generation. So a run that looks the same was the same all the time.
            fresh[i] = old < before.size() && before.get(old).equals(run) ? since[old] : now;
            nanos[i] = now - fresh[i];
        }
        last = map;
        since = fresh;
        return new MapPicture(map, nanos);
    }
}
