package io.labyrinth.netty;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.CharsetUtil;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.GatheringByteChannel;
import java.nio.channels.ScatteringByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;

/**
 * Operations on a ByteBuf. The result of each depends only on the buffer's bytes, its indexes and a seed. So the
 * results show whether two buffers of different kinds behave alike.
 */
final class Deeds {

    /** One thing that is done; returns what it read, or null. */
    interface Deed {
        Object to(ByteBuf buffer, Random random) throws IOException;
    }

    private Deeds() {
    }

    static Map<String, Deed> all(Path file) {
        Map<String, Deed> deeds = new LinkedHashMap<>();
        numbers(deeds);
        sequential(deeds);
        bulk(deeds);
        channels(deeds, file);
        derived(deeds);
        return deeds;
    }

    /** An index at which so many bytes fit, or one time in eight one at which they may not. */
    private static int index(ByteBuf buffer, Random random, int bytes) {
        return random.nextInt(8) == 0 ? random.nextInt(buffer.capacity() + 8) - 4
                : random.nextInt(Math.max(1, buffer.capacity() - bytes + 1));
    }

    private static int length(ByteBuf buffer, Random random) {
        return random.nextInt(buffer.capacity() + 1);
    }

    private static byte[] bytes(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private static void numbers(Map<String, Deed> deeds) {
        deeds.put("getByte", (b, r) -> b.getByte(index(b, r, 1)));
        deeds.put("getUnsignedByte", (b, r) -> b.getUnsignedByte(index(b, r, 1)));
        deeds.put("getBoolean", (b, r) -> b.getBoolean(index(b, r, 1)));
        deeds.put("getShort", (b, r) -> b.getShort(index(b, r, 2)));
        deeds.put("getShortLE", (b, r) -> b.getShortLE(index(b, r, 2)));
        deeds.put("getChar", (b, r) -> b.getChar(index(b, r, 2)));
        deeds.put("getMedium", (b, r) -> b.getMedium(index(b, r, 3)));
        deeds.put("getMediumLE", (b, r) -> b.getMediumLE(index(b, r, 3)));
        deeds.put("getUnsignedMedium", (b, r) -> b.getUnsignedMedium(index(b, r, 3)));
        deeds.put("getUnsignedMediumLE", (b, r) -> b.getUnsignedMediumLE(index(b, r, 3)));
        deeds.put("getInt", (b, r) -> b.getInt(index(b, r, 4)));
        deeds.put("getIntLE", (b, r) -> b.getIntLE(index(b, r, 4)));
        deeds.put("getLong", (b, r) -> b.getLong(index(b, r, 8)));
        deeds.put("getLongLE", (b, r) -> b.getLongLE(index(b, r, 8)));
        deeds.put("setByte", (b, r) -> b.setByte(index(b, r, 1), r.nextInt()));
        deeds.put("setBoolean", (b, r) -> b.setBoolean(index(b, r, 1), r.nextBoolean()));
        deeds.put("setShort", (b, r) -> b.setShort(index(b, r, 2), r.nextInt()));
        deeds.put("setShortLE", (b, r) -> b.setShortLE(index(b, r, 2), r.nextInt()));
        deeds.put("setMedium", (b, r) -> b.setMedium(index(b, r, 3), r.nextInt()));
        deeds.put("setMediumLE", (b, r) -> b.setMediumLE(index(b, r, 3), r.nextInt()));
        deeds.put("setInt", (b, r) -> b.setInt(index(b, r, 4), r.nextInt()));
        deeds.put("setIntLE", (b, r) -> b.setIntLE(index(b, r, 4), r.nextInt()));
        deeds.put("setLong", (b, r) -> b.setLong(index(b, r, 8), r.nextLong()));
        deeds.put("setLongLE", (b, r) -> b.setLongLE(index(b, r, 8), r.nextLong()));
        deeds.put("setDouble", (b, r) -> b.setDouble(index(b, r, 8), r.nextDouble()));
    }

    private static void sequential(Map<String, Deed> deeds) {
        deeds.put("readByte", (b, r) -> b.readByte());
        deeds.put("readShortLE", (b, r) -> b.readShortLE());
        deeds.put("readMedium", (b, r) -> b.readMedium());
        deeds.put("readInt", (b, r) -> b.readInt());
        deeds.put("readLong", (b, r) -> b.readLong());
        deeds.put("writeByte", (b, r) -> b.writeByte(r.nextInt()));
        deeds.put("writeShort", (b, r) -> b.writeShort(r.nextInt()));
        deeds.put("writeMediumLE", (b, r) -> b.writeMediumLE(r.nextInt()));
        deeds.put("writeInt", (b, r) -> b.writeInt(r.nextInt()));
        deeds.put("writeLong", (b, r) -> b.writeLong(r.nextLong()));
        deeds.put("writeZero", (b, r) -> b.writeZero(r.nextInt(600)));
        deeds.put("writeBytes(byte[])", (b, r) -> b.writeBytes(bytes(r, r.nextInt(3000))));
        deeds.put("writeBytes(ByteBuf)", (b, r) -> b.writeBytes(Unpooled.wrappedBuffer(bytes(r, r.nextInt(900)))));
        deeds.put("writeCharSequence", (b, r) -> b.writeCharSequence("läbyrinth" + r.nextInt(), CharsetUtil.UTF_8));
        deeds.put("readCharSequence", (b, r) -> b.readCharSequence(r.nextInt(20), CharsetUtil.ISO_8859_1));
        deeds.put("skipBytes", (b, r) -> b.skipBytes(r.nextInt(40)));
        deeds.put("discardReadBytes", (b, r) -> b.discardReadBytes());
        deeds.put("discardSomeReadBytes", (b, r) -> b.discardSomeReadBytes());
        deeds.put("ensureWritable", (b, r) -> b.ensureWritable(r.nextInt(5000)));
        deeds.put("capacity(int)", (b, r) -> b.capacity(r.nextInt(20_000)));
    }

    private static void bulk(Map<String, Deed> deeds) {
        deeds.put("getBytes(byte[])", (b, r) -> {
            byte[] to = new byte[length(b, r) + 10];
            b.getBytes(index(b, r, to.length - 10), to, 5, to.length - 10);
            return ByteBuffer.wrap(to);
        });
        for (boolean direct : new boolean[] {true, false}) {
            deeds.put("getBytes(ByteBuffer) direct=" + direct, (b, r) -> {
                int length = length(b, r);
                ByteBuffer to = direct ? ByteBuffer.allocateDirect(length + 10) : ByteBuffer.allocate(length + 10);
                b.getBytes(index(b, r, length), to.position(3).limit(3 + length));
                return List.of(to.position(), to.clear());
            });
            deeds.put("setBytes(ByteBuffer) direct=" + direct, (b, r) -> {
                byte[] bytes = bytes(r, length(b, r) + 3);
                ByteBuffer from = direct ? ByteBuffer.allocateDirect(bytes.length).put(bytes).flip()
                        : ByteBuffer.wrap(bytes);
                b.setBytes(index(b, r, bytes.length - 3), from.order(ByteOrder.LITTLE_ENDIAN).position(3));
                return from.position();
            });
        }
        deeds.put("getBytes(ByteBuffer) read-only", (b, r) ->
                b.getBytes(index(b, r, 4), ByteBuffer.allocate(4).asReadOnlyBuffer()));
        deeds.put("getBytes(ByteBuf) heap", (b, r) -> into(b, r, Unpooled.buffer(40_000)));
        deeds.put("getBytes(ByteBuf) direct", (b, r) -> into(b, r, Unpooled.directBuffer(40_000)));
        deeds.put("getBytes(ByteBuf) composite", (b, r) -> into(b, r, twoParts(new byte[40_000])));
        deeds.put("setBytes(ByteBuf) heap", (b, r) -> from(b, r, Unpooled.wrappedBuffer(bytes(r, 40_000))));
        deeds.put("setBytes(ByteBuf) direct", (b, r) ->
                from(b, r, Unpooled.directBuffer(40_000).writeBytes(bytes(r, 40_000))));
        deeds.put("setBytes(ByteBuf) composite", (b, r) -> from(b, r, twoParts(bytes(r, 40_000))));
        deeds.put("setBytes(ByteBuf) itself", (b, r) -> {
            int length = length(b, r) / 2;
            return b.setBytes(index(b, r, length), b, index(b, r, length), length);
        });
        deeds.put("setBytes(byte[])", (b, r) -> b.setBytes(index(b, r, 20), bytes(r, 20)));
        deeds.put("setZero", (b, r) -> b.setZero(index(b, r, 100), 100));
        deeds.put("getBytes(OutputStream)", (b, r) -> {
            ByteArrayOutputStream to = new ByteArrayOutputStream();
            int length = length(b, r);
            b.getBytes(index(b, r, length), to, length);
            return ByteBuffer.wrap(to.toByteArray());
        });
        deeds.put("setBytes(InputStream)", (b, r) ->
                b.setBytes(index(b, r, 50), new ByteArrayInputStream(bytes(r, r.nextInt(60))), 50));
    }

    private static ByteBuf twoParts(byte[] bytes) {
        return Unpooled.wrappedBuffer(Unpooled.wrappedBuffer(bytes, 0, 100),
                Unpooled.wrappedBuffer(bytes, 100, bytes.length - 100));
    }

    private static Object into(ByteBuf buffer, Random random, ByteBuf to) {
        int length = length(buffer, random);
        buffer.getBytes(index(buffer, random, length), to, 10, length);
        int read = to.setIndex(10, 10 + length).hashCode();
        to.release();
        return read;
    }

    private static Object from(ByteBuf buffer, Random random, ByteBuf from) {
        int length = length(buffer, random);
        buffer.setBytes(index(buffer, random, length), from, 10, length);
        from.release();
        return from.readerIndex();
    }

    private static void channels(Map<String, Deed> deeds, Path file) {
        deeds.put("getBytes(GatheringByteChannel)", (b, r) -> {
            try (FileChannel to = open(file)) {
                int length = length(b, r);
                int written = b.getBytes(index(b, r, length), (GatheringByteChannel) to, length);
                return List.of(written, read(to));
            }
        });
        deeds.put("readBytes(GatheringByteChannel)", (b, r) -> {
            try (FileChannel to = open(file)) {
                int written = b.readBytes((GatheringByteChannel) to, r.nextInt(b.readableBytes() + 1));
                return List.of(written, read(to));
            }
        });
        deeds.put("readBytes(FileChannel)", (b, r) -> {
            try (FileChannel to = open(file)) {
                int written = b.readBytes(to, 7, r.nextInt(b.readableBytes() + 1));
                return List.of(written, read(to));
            }
        });
        deeds.put("getBytes(FileChannel)", (b, r) -> {
            try (FileChannel to = open(file)) {
                int written = b.getBytes(index(b, r, 20), to, 5, 20);
                return List.of(written, read(to));
            }
        });
        deeds.put("setBytes(ScatteringByteChannel)", (b, r) -> {
            try (FileChannel from = open(file)) {
                from.write(ByteBuffer.wrap(bytes(r, 500)), 0);
                return b.setBytes(index(b, r, 600), (ScatteringByteChannel) from, 600);
            }
        });
        deeds.put("setBytes(FileChannel)", (b, r) -> {
            try (FileChannel from = open(file)) {
                from.write(ByteBuffer.wrap(bytes(r, 500)), 0);
                return b.setBytes(index(b, r, 300), from, 100, 300);
            }
        });
        deeds.put("setBytes(closed channel)", (b, r) -> {
            FileChannel from = open(file);
            from.close();
            return List.of(b.setBytes(0, (ScatteringByteChannel) from, 0), b.setBytes(0, from, 0, 0));
        });
        deeds.put("readBytes(OutputStream)", (b, r) -> {
            ByteArrayOutputStream to = new ByteArrayOutputStream();
            b.readBytes(Channels.newOutputStream(Channels.newChannel(to)), r.nextInt(b.readableBytes() + 1));
            return ByteBuffer.wrap(to.toByteArray());
        });
    }

    private static FileChannel open(Path file) throws IOException {
        return FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    private static ByteBuffer read(FileChannel channel) throws IOException {
        ByteBuffer all = ByteBuffer.allocate((int) channel.size());
        channel.read(all, 0);
        return all.flip();
    }

    private static void derived(Map<String, Deed> deeds) {
        deeds.put("nioBuffer", (b, r) -> {
            int length = length(b, r);
            ByteBuffer view = b.nioBuffer(index(b, r, length), length);
            return List.of(view.position(), view.capacity(), view.order(),
                    ByteBuffer.allocate(length).put(view).flip());
        });
        deeds.put("nioBuffers", (b, r) -> {
            List<ByteBuffer> copies = new ArrayList<>();
            for (ByteBuffer view : b.nioBuffers(index(b, r, 30), 30)) {
                copies.add(ByteBuffer.allocate(30).put(view).flip());
            }
            return copies;
        });
        deeds.put("internalNioBuffer", (b, r) -> {
            ByteBuffer view = b.internalNioBuffer(index(b, r, 30), 30);
            return List.of(view.remaining(), ByteBuffer.allocate(30).put(view).flip());
        });
        deeds.put("copy", (b, r) -> {
            int length = length(b, r);
            ByteBuf copy = b.copy(index(b, r, length), length);
            String text = copy.toString(StandardCharsets.ISO_8859_1) + copy.refCnt() + copy.maxCapacity();
            copy.release();
            return text;
        });
        deeds.put("slice", (b, r) -> b.slice(index(b, r, 20), 20).writerIndex(0).writeLong(r.nextLong()).getShort(3));
        deeds.put("retainedSlice", (b, r) -> {
            ByteBuf slice = b.retainedSlice(index(b, r, 20), 20);
            int count = b.refCnt();
            return count + " " + slice.release() + " " + b.refCnt();
        });
        deeds.put("duplicate", (b, r) -> b.duplicate().setByte(index(b, r, 1), r.nextInt()).readableBytes());
        deeds.put("hashCode", (b, r) -> b.hashCode());
        deeds.put("toString", (b, r) -> b.toString(0, length(b, r), StandardCharsets.ISO_8859_1));
        deeds.put("indexOf", (b, r) -> b.indexOf(0, b.writerIndex(), (byte) r.nextInt()));
        deeds.put("forEachByte", (b, r) -> {
            TreeSet<Byte> seen = new TreeSet<>();
            return b.forEachByte(0, length(b, r), value -> seen.add(value) || seen.size() < 3) + " " + seen;
        });
        deeds.put("forEachByteDesc", (b, r) -> b.forEachByteDesc(0, length(b, r), value -> value != 0));
        deeds.put("asReadOnly", (b, r) -> b.asReadOnly().setByte(0, 1));
    }
}
