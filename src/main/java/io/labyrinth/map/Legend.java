package io.labyrinth.map;

import io.labyrinth.LabyrinthMap;
import io.labyrinth.LabyrinthMap.Run;
import io.labyrinth.LabyrinthMap.State;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** The entries of a picture's legend, and the entry of each run. */
final class Legend {

    private static final int FREE = 0xe3e6ea;
    private static final int FREE_IN_RESERVE = 0xf3dfb3;
    private static final int IN_TRANSIT = 0xd6338a;
    private static final int QUARANTINED = 0x7a1f1f;
    private static final int CHANGING = 0x555555;
    private static final int EXCLUSIVE = 0x2a6fc9;
    private static final int SHARED = 0x1f9e6e;
    private static final int OTHERS = 0x6b6b6b;

    /** Colours that most eyes can tell apart. The owner with the most frames gets the first. */
    private static final int[] OWNERS = {0x4e79a7, 0xf28e2b, 0x59a14f, 0xe15759, 0xb07aa1, 0x76b7b2, 0xedc948, 0xff9da7,
        0x9c755f, 0x2f4b7c, 0x8cd17d, 0xd37295};

    /** From little to much: viridis, which stays even for the eye when it is printed in grey. */
    private static final int[] SCALE = {0x440154, 0x482475, 0x414487, 0x355f8d, 0x2a788e, 0x21918c, 0x22a884, 0x44bf70,
        0x7ad151, 0xbddf26, 0xfde725};

    private static final long[] AGES = {0, 1, 10, 60, 600, 3_600, 86_400};
    private static final String[] AGE_LABELS = {"seen for less than 1 s", "1 s or more", "10 s or more",
        "1 min or more", "10 min or more", "1 h or more", "1 day or more"};

    /** @param free whether it stands for free frames: their colour is the ground of the others */
    record Entry(char sign, String label, int rgb, boolean free) {
    }

    /** A process and the thread that claimed. A run that is not EXCLUSIVE may be with any other thread by now. */
    private record Owner(int tenant, long thread, boolean virtual, boolean exclusive) {
        Owner(Run run) {
            this(run.tenant(), run.owner(), run.virtual(), run.exclusive());
        }
    }

    final List<Entry> entries = new ArrayList<>();
    private final LabyrinthMap map;
    private final ColorBy by;
    private final long[] nanos;
    private final int ordinary;
    private final Map<Owner, Integer> owners = new HashMap<>();

    /** @param nanos by run: for how long it has been as it is, at least */
    Legend(LabyrinthMap map, ColorBy by, long[] nanos) {
        this.map = map;
        this.by = by;
        this.nanos = nanos;
        this.ordinary = map.frames() - map.reserve();
        // In the order of State, but FREE has two entries.
        add('.', "free", FREE, true);
        add('r', "free in the reserve", FREE_IN_RESERVE, true);
        add('T', "in transit", IN_TRANSIT, false);
        add('Q', "quarantined", QUARANTINED, false);
        add('?', "changing", CHANGING, false);
        switch (by) {
            case STATE -> {
                add('E', "exclusive", EXCLUSIVE, false);
                add('S', "shared", SHARED, false);
            }
            case OWNER -> addOwners();
            case ORDER -> {
                for (int order = 0; order < SCALE.length; order++) {
                    add(Character.toUpperCase(Character.forDigit(order, 16)), "order " + order, SCALE[order], false);
                }
            }
            case LIVES -> {
                long from = 1;
                add('0', "no life ended", SCALE[0], false);
                for (int digits = 1; digits < 9; digits++) {
                    add(Character.forDigit(digits, 10), "%,d or more".formatted(from), SCALE[digits + 1], false);
                    from *= 10;
                }
            }
            case AGE -> {
                for (int age = 0; age < AGES.length; age++) {
                    add(Character.forDigit(age, 10), AGE_LABELS[age], SCALE[SCALE.length - 2 - age], false);
                }
            }
        }
    }

    private void add(char sign, String label, int rgb, boolean free) {
        entries.add(new Entry(sign, label, rgb, free));
    }

    private void addOwners() {
        Map<Owner, Long> sums = new HashMap<>();
        for (Run run : map.runs()) {
            if (run.state() == State.CLAIMED) {
                sums.merge(new Owner(run), (long) run.frames(), Long::sum);
            }
        }
        List<Owner> largest = sums.keySet().stream().sorted(Comparator.comparing((Owner owner) -> -sums.get(owner))
                .thenComparing(Owner::tenant).thenComparing(Owner::thread).thenComparing(Owner::exclusive)).toList();
        for (int i = 0; i < Math.min(OWNERS.length, largest.size()); i++) {
            owners.put(largest.get(i), entries.size());
            add((char) ('A' + i), describe(largest.get(i)), OWNERS[i], false);
        }
        if (largest.size() > OWNERS.length) {
            add('+', MapPicture.count(largest.size() - OWNERS.length, "other owner"), OTHERS, false);
        }
    }

    private String describe(Owner owner) {
        String process = map.tenants().isEmpty() ? "" : map.tenants().stream()
                .filter(tenant -> tenant.number() == owner.tenant)
                .map(tenant -> " of pid " + tenant.pid() + (tenant.alive() ? " (tenant " : " (dead tenant "))
                .findFirst().orElse(" of a process that has left (tenant ") + owner.tenant + ")";
        return (owner.exclusive ? "" : "shared, claimed by ") + (owner.virtual ? "virtual " : "")
                + (owner.thread == 0 ? "a thread that has not signed yet" : "thread " + owner.thread) + process;
    }

    /** The entry of this run, as an index. The run is number {@code index} of the map. */
    int of(Run run, int index) {
        if (by == ColorBy.LIVES && run.state() != State.CHANGING && run.state() != State.QUARANTINED) {
            int digits = run.livesEnded() <= 0 ? 0 : Long.toString(run.livesEnded()).length();
            return 5 + Math.min(digits, 8);
        }
        return switch (run.state()) {
            case FREE -> run.pfn() < ordinary ? 0 : 1;
            case IN_TRANSIT -> by == ColorBy.AGE ? age(nanos[index]) : 2;
            case QUARANTINED -> 3;
            case CHANGING -> 4;
            case CLAIMED -> switch (by) {
                case STATE, LIVES -> run.exclusive() ? 5 : 6;
                case OWNER -> owners.getOrDefault(new Owner(run), entries.size() - 1);
                case ORDER -> 5 + run.order();
                case AGE -> age(nanos[index]);
            };
        };
    }

    private static int age(long nanos) {
        long seconds = TimeUnit.NANOSECONDS.toSeconds(nanos);
        int age = AGES.length - 1;
        while (AGES[age] > seconds) {
            age--;
        }
        return 5 + age;
    }
}
