package io.labyrinth.map;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthMap;
import io.labyrinth.LabyrinthMap.Run;
import io.labyrinth.LabyrinthMap.State;
import io.labyrinth.internal.os.Machine;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** One look at a labyrinth, as text, PNG or data. Immutable. */
public final class MapPicture {

    private static final int TEXT_CELLS = 64;
    private static final int TEXT_LINES = 32;
    /** With so many frames in a cell a line of text is a row, until there are more rows than lines. */
    private static final int TEXT_LEAST = Labyrinth.ROW_FRAMES / TEXT_CELLS;
    private static final int PAGE_LINES = 128;
    private static final int PNG_LINES = 512;

    private final LabyrinthMap map;
    private final long[] nanos;

    MapPicture(LabyrinthMap map, long[] nanos) {
        this.map = map;
        this.nanos = nanos;
    }

    /** What was seen. */
    public LabyrinthMap map() {
        return map;
    }

    /** The labyrinth's name, without the control characters that a terminal obeys. */
    String name() {
        return map.name().codePoints().mapToObj(c -> Character.isISOControl(c) ? "?" : Character.toString(c))
                .collect(Collectors.joining());
    }

    /** {@code 1,024 frames of 4KiB: 300 free, 60 free in the reserve of 64, 664 out}. */
    String headline() {
        long reserveFree = 0;
        long out = 0;
        for (Run run : map.runs()) {
            reserveFree += run.state() == State.FREE && run.pfn() >= map.frames() - map.reserve() ? run.frames() : 0;
            out += run.isOut() ? run.frames() : 0;
        }
        return String.format(Locale.ROOT, "%s of %s: %,d free, %,d free in the reserve of %,d, %,d out",
                count(map.frames(), "frame"), Machine.bytes(map.frameSize()), map.free(), reserveFree, map.reserve(),
                out);
    }

    /** A number and its noun, which agree: {@code 1 frame}, {@code 1,024 frames}. */
    static String count(long number, String noun) {
        return String.format(Locale.ROOT, "%,d %s%s", number, noun, number == 1 ? "" : "s");
    }

    /** The largest run that an ordinary request can have. */
    String largest() {
        int order = map.largestOrder();
        return order < 0 ? "largest that can be had: nothing" : String.format(Locale.ROOT,
                "largest that can be had: order %d, %s, %s; %,d of these", order, count(1L << order, "frame"),
                Machine.bytes(map.frameSize() << order), map.available(order));
    }

    /** The kernel's unusable free space index for each order, in percent. */
    String unusable() {
        return IntStream.rangeClosed(0, Labyrinth.MAX_ORDER)
                .mapToObj(order -> order + ":" + Math.round(100 * map.unusable(order)) + "%")
                .collect(Collectors.joining("  ", "free but too small for order  ", ""));
    }

    /** At most 32 lines of 64 cells, with a headline, the index of fragmentation, and a legend. */
    public String text(ColorBy by, boolean coloured) {
        Chart chart = new Chart(map, by, nanos, TEXT_LEAST, TEXT_CELLS * TEXT_LINES);
        StringBuilder text = new StringBuilder("labyrinth " + name() + ", " + headline() + '\n' + largest() + '\n'
                + unusable() + '\n');
        for (int cell = 0; cell < chart.entry.length; cell++) {
            if (cell % TEXT_CELLS == 0) {
                text.append("%10d ".formatted((long) cell * chart.framesPerCell));
            }
            char sign = chart.entryOf(cell).sign();
            boolean little = chart.share[cell] > 0 && chart.share[cell] < Chart.FULL / 2;
            sign(text, little ? Character.toLowerCase(sign) : sign, chart.rgb(cell), coloured);
            if (cell % TEXT_CELLS == TEXT_CELLS - 1 || cell == chart.entry.length - 1) {
                text.append('\n');
            }
        }
        text.append(String.format(Locale.ROOT, "by %s; a line has %,d frames, a cell %,d of them; free frames aside, a"
                + " cell shows what most of its frames are; a small letter: less than half are out%n",
                by.name().toLowerCase(Locale.ROOT), TEXT_CELLS * chart.framesPerCell, chart.framesPerCell));
        for (int i = 0; i < chart.frames.length; i++) {
            if (chart.frames[i] > 0) {
                Legend.Entry entry = chart.legend.entries.get(i);
                sign(text.append("  "), entry.sign(), entry.rgb(), coloured);
                text.append(String.format(Locale.ROOT, " %,10d  %s%n", chart.frames[i], entry.label()));
            }
        }
        return text.toString();
    }

    /** In one of xterm's 216 colours, which most terminals have: the letter is black or white on that colour. */
    private static void sign(StringBuilder text, char sign, int rgb, boolean coloured) {
        if (!coloured) {
            text.append(sign);
            return;
        }
        int red = rgb >> 16 & 255;
        int green = rgb >> 8 & 255;
        int blue = rgb & 255;
        int colour = 16 + 36 * ((red + 25) / 51) + 6 * ((green + 25) / 51) + (blue + 25) / 51;
        boolean light = 3 * red + 6 * green + blue > 1400;
        text.append("\033[48;5;").append(colour).append(light ? ";30m" : ";97m").append(sign).append("\033[0m");
    }

    /** A PNG file: up to 512 lines of 512 cells. A cell is one frame, or several. */
    public byte[] png(ColorBy by) {
        Chart chart = new Chart(map, by, nanos, 1, Labyrinth.ROW_FRAMES * PNG_LINES);
        return Png.of(this, by, chart);
    }

    /**
     * The data of the page. {@code cells} has four numbers for each stretch of equal cells: how many cells, the entry
     * of the legend, the colour, and the share that is out (of 255).
     */
    String json(ColorBy by) {
        Chart chart = new Chart(map, by, nanos, 1, Labyrinth.ROW_FRAMES * PAGE_LINES);
        StringBuilder json = new StringBuilder("{\"name\":").append(quoted(name()))
                .append(",\"frames\":").append(map.frames()).append(",\"headline\":").append(quoted(headline()))
                .append(",\"largest\":").append(quoted(largest())).append(",\"largestOrder\":")
                .append(map.largestOrder()).append(",\"free\":").append(map.free()).append(",\"available\":")
                .append(orders().stream().map(map::available).toList()).append(",\"unusable\":")
                .append(orders().stream().map(map::unusable).toList()).append(",\"by\":")
                .append(quoted(by.name())).append(",\"framesPerCell\":").append(chart.framesPerCell)
                .append(",\"legend\":[");
        for (int i = 0; i < chart.frames.length; i++) {
            Legend.Entry entry = chart.legend.entries.get(i);
            json.append(i == 0 ? "" : ",").append("{\"label\":").append(quoted(entry.label())).append(",\"colour\":")
                    .append(entry.rgb()).append(",\"frames\":").append(chart.frames[i]).append('}');
        }
        json.append("],\"cells\":[");
        int from = 0;
        for (int cell = 1; cell <= chart.entry.length; cell++) {
            if (cell == chart.entry.length || chart.entry[cell] != chart.entry[from]
                    || chart.share[cell] != chart.share[from]) {
                json.append(from == 0 ? "" : ",").append(cell - from).append(',').append(chart.entry[from]).append(',')
                        .append(chart.rgb(from)).append(',').append(chart.share[from]);
                from = cell;
            }
        }
        return json.append("]}").toString();
    }

    private static List<Integer> orders() {
        return IntStream.rangeClosed(0, Labyrinth.MAX_ORDER).boxed().toList();
    }

    /** A JSON string that is harmless anywhere in a page. */
    static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c > '~') {
                quoted.append(String.format("\\u%04x", (int) c));
            } else {
                quoted.append(c);
            }
        }
        return quoted.append('"').toString();
    }
}
