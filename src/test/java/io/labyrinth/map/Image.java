package io.labyrinth.map;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** A PNG file read by the specification, as far as Labyrinth writes them: true colour, 8 bits, no filter. */
record Image(int width, int height, byte[] lines) {

    static Image of(byte[] png) throws DataFormatException {
        ByteBuffer file = ByteBuffer.wrap(png);
        assertThat(file.getLong()).isEqualTo(0x89504e470d0a1a0aL);
        ByteBuffer header = ByteBuffer.wrap(chunk(file, "IHDR"));
        int width = header.getInt();
        int height = header.getInt();
        assertThat(header.getInt() << 8 | header.get()).isEqualTo(0x08020000 << 8);
        Inflater inflater = new Inflater();
        inflater.setInput(chunk(file, "IDAT"));
        byte[] lines = new byte[height * (1 + 3 * width)];
        assertThat(inflater.inflate(lines)).isEqualTo(lines.length);
        assertThat(inflater.finished() || inflater.inflate(new byte[1]) == 0).isTrue();
        inflater.end();
        assertThat(chunk(file, "IEND")).isEmpty();
        assertThat(file.hasRemaining()).isFalse();
        return new Image(width, height, lines);
    }

    private static byte[] chunk(ByteBuffer file, String type) {
        byte[] data = new byte[file.getInt()];
        CRC32 crc = new CRC32();
        crc.update(file.array(), file.position(), 4 + data.length);
        byte[] name = new byte[4];
        file.get(name).get(data);
        assertThat(new String(name, StandardCharsets.US_ASCII)).isEqualTo(type);
        assertThat(file.getInt()).isEqualTo((int) crc.getValue());
        return data;
    }

    int rgb(int x, int y) {
        int at = y * (1 + 3 * width);
        assertThat(lines[at]).as("filter").isZero();
        return (lines[at + 1 + 3 * x] & 255) << 16 | (lines[at + 2 + 3 * x] & 255) << 8 | lines[at + 3 + 3 * x] & 255;
    }
}
