package io.labyrinth.map;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * A PNG file read by the specification, sums and all, as far as Labyrinth and Chromium write them: true colour, 8 bits.
 */
record Image(int width, int height, int[] pixels) {

    static Image of(byte[] png) throws DataFormatException {
        ByteBuffer file = ByteBuffer.wrap(png);
        assertThat(file.getLong()).isEqualTo(0x89504e470d0a1a0aL);
        ByteBuffer header = ByteBuffer.allocate(0);
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        String type = "";
        while (!type.equals("IEND")) {
            byte[] data = new byte[file.getInt()];
            CRC32 crc = new CRC32();
            crc.update(png, file.position(), 4 + data.length);
            byte[] name = new byte[4];
            file.get(name).get(data);
            type = new String(name, StandardCharsets.US_ASCII);
            assertThat(file.getInt()).as("sum of %s", type).isEqualTo((int) crc.getValue());
            if (type.equals("IHDR")) {
                header = ByteBuffer.wrap(data);
            } else if (type.equals("IDAT")) {
                packed.writeBytes(data);
            }
        }
        assertThat(file.hasRemaining()).isFalse();
        int width = header.getInt();
        int height = header.getInt();
        assertThat(header.get()).as("bits").isEqualTo((byte) 8);
        int depth = header.get() == 2 ? 3 : 4;
        byte[] lines = new byte[height * (1 + depth * width)];
        Inflater inflater = new Inflater();
        inflater.setInput(packed.toByteArray());
        assertThat(inflater.inflate(lines)).isEqualTo(lines.length);
        assertThat(inflater.inflate(new byte[1])).as("bytes too many").isZero();
        assertThat(inflater.finished()).isTrue();
        inflater.end();
        return new Image(width, height, pixels(lines, width, height, depth));
    }

    private static int[] pixels(byte[] lines, int width, int height, int depth) {
        int[] pixels = new int[width * height];
        byte[] above = new byte[width * depth];
        byte[] line = new byte[width * depth];
        for (int y = 0; y < height; y++) {
            int from = y * (1 + width * depth);
            for (int i = 0; i < line.length; i++) {
                int left = i < depth ? 0 : line[i - depth] & 255;
                int up = above[i] & 255;
                int corner = i < depth ? 0 : above[i - depth] & 255;
                line[i] = (byte) (lines[from + 1 + i] + predicted(lines[from], left, up, corner));
            }
            for (int x = 0; x < width; x++) {
                pixels[y * width + x] = (line[x * depth] & 255) << 16 | (line[x * depth + 1] & 255) << 8
                        | line[x * depth + 2] & 255;
            }
            byte[] swap = above;
            above = line;
            line = swap;
        }
        return pixels;
    }

    private static int predicted(int filter, int left, int up, int corner) {
        return switch (filter) {
            case 0 -> 0;
            case 1 -> left;
            case 2 -> up;
            case 3 -> (left + up) / 2;
            case 4 -> {
                int guess = left + up - corner;
                int toLeft = Math.abs(guess - left);
                int toUp = Math.abs(guess - up);
                int toCorner = Math.abs(guess - corner);
                yield toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
            }
            default -> throw new AssertionError("filter " + filter);
        };
    }

    int rgb(int x, int y) {
        return pixels[y * width + x];
    }
}
