package io.labyrinth.cli;

import io.labyrinth.Labyrinth;
import java.util.ArrayList;
import java.util.List;

/** A labyrinth as text: a line has 512 frames, a cell 8 of them. */
final class Picture {

    private static final int CELL_FRAMES = 8;
    private static final int MOST_ROWS = 24;
    /**
     * The states of {@link Labyrinth#picture}, the busiest first: a cell shows the first state that any of its frames
     * has.
     */
    private static final String STATES = "TESQr.?";
    private static final String[] COLOURS = {"35", "32", "36", "31", "33", "2", "31"};
    private static final String LEGEND =
            "E exclusive, S shared, T in transit, r free in the reserve, . free, Q quarantined";

    private Picture() {
    }

    /** One string of 512 states a row; the last may be shorter. */
    static List<String> rows(String picture) {
        List<String> rows = new ArrayList<>();
        for (int at = 0; at < picture.length(); at += Labyrinth.ROW_FRAMES) {
            rows.add(picture.substring(at, Math.min(picture.length(), at + Labyrinth.ROW_FRAMES)));
        }
        return rows;
    }

    /** The number of frames that are out. */
    static long out(String picture) {
        return picture.chars().filter(state -> "TES".indexOf(state) >= 0).count();
    }

    static String text(List<String> rows, boolean coloured) {
        StringBuilder text = new StringBuilder();
        for (int row = 0; row < Math.min(rows.size(), MOST_ROWS); row++) {
            text.append("  %8d ".formatted((long) row * Labyrinth.ROW_FRAMES));
            String states = rows.get(row);
            for (int at = 0; at < states.length(); at += CELL_FRAMES) {
                cell(text, states.substring(at, Math.min(states.length(), at + CELL_FRAMES)), coloured);
            }
            text.append('\n');
        }
        if (rows.size() > MOST_ROWS) {
            text.append("  and ").append(Count.of(rows.size() - MOST_ROWS, "more row")).append('\n');
        }
        return text.append("  a row has ").append(Labyrinth.ROW_FRAMES).append(" frames, a cell ").append(CELL_FRAMES)
                .append(" of them: ").append(LEGEND).append('\n').toString();
    }

    private static void cell(StringBuilder text, String frames, boolean coloured) {
        int state = 0;
        while (frames.indexOf(STATES.charAt(state)) < 0) {
            state++;
        }
        if (coloured) {
            text.append("\033[").append(COLOURS[state]).append('m').append(STATES.charAt(state)).append("\033[0m");
        } else {
            text.append(STATES.charAt(state));
        }
    }
}
