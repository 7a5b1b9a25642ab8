package io.labyrinth.map;

import io.labyrinth.Labyrinth;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/**
 * The picture as an image file, without java.desktop: that module is large, and fails on a machine without fonts. So
 * this class has its own letters, 3 by 5 dots.
 */
final class Png {

    private static final int CELL = 2;
    private static final int TALLEST_LINE = 40;
    private static final int CHART_HEIGHT = 480;
    private static final int MARGIN = 16;
    private static final int LABEL = 72;
    private static final int DOT = 2;
    private static final int ADVANCE = 4 * DOT;
    private static final int TEXT_LINE = 9 * DOT;
    private static final int WIDTH = MARGIN + LABEL + Labyrinth.ROW_FRAMES * CELL + MARGIN;
    private static final int INK = 0x1c2530;
    private static final int PAPER = 0xffffff;

    private static final String LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.,:;-+/=%()<>_'\"#*!?";
    /** A letter is five octal digits: one for each line of three dots, from the top. */
    private static final int[] DOTS = {0_75557, 0_26227, 0_71747, 0_71717, 0_55711, 0_74717, 0_74757, 0_71122, 0_75757,
        0_75717, 0_25755, 0_65656, 0_34443, 0_65556, 0_74647, 0_74644, 0_34553, 0_55755, 0_72227, 0_11152, 0_55655,
        0_44447, 0_57755, 0_65555, 0_25552, 0_65644, 0_25563, 0_65655, 0_34216, 0_72222, 0_55557, 0_55552, 0_55775,
        0_55255, 0_55222, 0_71247, 0_00002, 0_00024, 0_02020, 0_02024, 0_00700, 0_02720, 0_11244, 0_07070, 0_51245,
        0_12221, 0_42224, 0_12421, 0_42124, 0_00007, 0_22000, 0_55000, 0_57575, 0_05250, 0_22202, 0_61202};

    private final int height;
    private final int[] pixels;

    private Png(int height) {
        this.height = height;
        this.pixels = new int[WIDTH * height];
        Arrays.fill(pixels, PAPER);
    }

    static byte[] of(MapPicture picture, ColorBy by, Chart chart) {
        int lines = (chart.entry.length - 1) / Labyrinth.ROW_FRAMES + 1;
        int lineHeight = Math.clamp(CHART_HEIGHT / lines, 1, TALLEST_LINE);
        int gap = lineHeight > 4 ? 1 : 0;
        int chartTop = MARGIN + 5 * TEXT_LINE;
        int used = (int) Arrays.stream(chart.frames).filter(frames -> frames > 0).count();
        int legendTop = chartTop + lines * lineHeight + TEXT_LINE;
        Png png = new Png(legendTop + (used + 2) / 3 * TEXT_LINE + MARGIN);
        png.write("labyrinth " + picture.name() + ", by " + by.name()
                + (chart.framesPerCell == 1 ? ", a cell is a frame"
                : ", a cell has " + chart.framesPerCell + " frames"),
                MARGIN, MARGIN);
        png.write(picture.headline(), MARGIN, MARGIN + TEXT_LINE);
        png.write(picture.largest(), MARGIN, MARGIN + 2 * TEXT_LINE);
        png.write(picture.unusable(), MARGIN, MARGIN + 3 * TEXT_LINE);
        int labelEvery = Math.max(1, (TEXT_LINE + lineHeight - 1) / lineHeight);
        for (int cell = 0; cell < chart.entry.length; cell++) {
            int line = cell / Labyrinth.ROW_FRAMES;
            int top = chartTop + line * lineHeight;
            int column = cell % Labyrinth.ROW_FRAMES;
            if (column == 0 && line % labelEvery == 0) {
                png.write("" + (long) cell * chart.framesPerCell, MARGIN, top);
            }
            png.fill(MARGIN + LABEL + column * CELL, top, CELL, lineHeight - gap, chart.rgb(cell));
        }
        png.legend(chart, legendTop);
        return png.encode();
    }

    private void legend(Chart chart, int top) {
        int shown = 0;
        for (int i = 0; i < chart.frames.length; i++) {
            if (chart.frames[i] > 0) {
                Legend.Entry entry = chart.legend.entries.get(i);
                int x = MARGIN + shown % 3 * (WIDTH - 2 * MARGIN) / 3;
                int y = top + shown / 3 * TEXT_LINE;
                fill(x, y, 5 * DOT, 5 * DOT, entry.rgb());
                write(String.format(Locale.ROOT, "%,d %s", chart.frames[i], entry.label()), x + 8 * DOT, y);
                shown++;
            }
        }
    }

    private void fill(int x, int y, int width, int tall, int rgb) {
        for (int row = Math.min(y, height); row < Math.min(height, y + tall); row++) {
            Arrays.fill(pixels, row * WIDTH + Math.min(x, WIDTH), row * WIDTH + Math.min(x + width, WIDTH), rgb);
        }
    }

    private void write(String text, int x, int y) {
        String upper = text.toUpperCase(Locale.ROOT);
        for (int i = 0; i < upper.length(); i++) {
            int letter = LETTERS.indexOf(upper.charAt(i));
            int dots = upper.charAt(i) == ' ' ? 0 : DOTS[letter < 0 ? LETTERS.indexOf('?') : letter];
            for (int dot = 0; dot < 15; dot++) {
                if ((dots >> 14 - dot & 1) != 0) {
                    fill(x + i * ADVANCE + dot % 3 * DOT, y + dot / 3 * DOT, DOT, DOT, INK);
                }
            }
        }
    }

    /** True colour, 8 bits, no filter: the minimum of the PNG specification. */
    private byte[] encode() {
        ByteBuffer lines = ByteBuffer.allocate(height * (1 + 3 * WIDTH));
        for (int i = 0; i < pixels.length; i++) {
            if (i % WIDTH == 0) {
                lines.put((byte) 0);
            }
            lines.put((byte) (pixels[i] >> 16)).put((byte) (pixels[i] >> 8)).put((byte) pixels[i]);
        }
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        file.writeBytes(new byte[] {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'});
        file.writeBytes(chunk("IHDR", ByteBuffer.allocate(13).putInt(WIDTH).putInt(height).put((byte) 8).put((byte) 2)
                .array()));
        file.writeBytes(chunk("IDAT", deflated(lines.array())));
        file.writeBytes(chunk("IEND", new byte[0]));
        return file.toByteArray();
    }

    private static byte[] deflated(byte[] plain) {
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        byte[] part = new byte[1 << 14];
        try (Deflater deflater = new Deflater()) {
            deflater.setInput(plain);
            deflater.finish();
            while (!deflater.finished()) {
                packed.write(part, 0, deflater.deflate(part));
            }
        }
        return packed.toByteArray();
    }

    private static byte[] chunk(String type, byte[] data) {
        ByteBuffer chunk = ByteBuffer.allocate(12 + data.length).putInt(data.length)
                .put(type.getBytes(StandardCharsets.US_ASCII)).put(data);
        CRC32 crc = new CRC32();
        crc.update(chunk.array(), 4, 4 + data.length);
        return chunk.putInt((int) crc.getValue()).array();
    }
}
