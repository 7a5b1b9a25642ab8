package io.labyrinth.netty;

import io.labyrinth.Slab;
import io.netty.buffer.AbstractReferenceCountedByteBuf;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.Recycler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.GatheringByteChannel;
import java.nio.channels.ScatteringByteChannel;
import org.jspecify.annotations.Nullable;

/** A direct buffer in a run of frames, in an object of a slab, or in a buffer of another allocator. */
final class LabyrinthByteBuf extends AbstractReferenceCountedByteBuf {

    /*
     * A buffer is an offset into a view of the labyrinth's memory (Window). So it needs only two objects: this one,
     * which is recycled, and a duplicate of the view, by which channels read and write, and which stays with this one
     * when it is recycled. A ByteBuffer that is handed out is a slice of this buffer alone. Only internalNioBuffer,
     * which Netty has for itself, reaches the whole view.
     */

    private static final Recycler<LabyrinthByteBuf> RECYCLER = new Recycler<>() {
        @Override
        protected LabyrinthByteBuf newObject(Handle<LabyrinthByteBuf> recycling) {
            return new LabyrinthByteBuf(recycling);
        }
    };

    /** A stream is copied in pieces of so many bytes. */
    private static final int PIECE = 8192;
    private static final ByteBuffer NOTHING = ByteBuffer.allocateDirect(0);

    private final Recycler.Handle<LabyrinthByteBuf> recycling;
    private LabyrinthByteBufAllocator allocator;
    /** If there is a slab, the handle of an object, otherwise of a run; 0 if there is neither. */
    private long handle;
    private @Nullable Slab slab;
    /** The other allocator's buffer that has the memory, if no handle does. */
    private @Nullable ByteBuf other;
    private ByteBuffer memory = NOTHING;
    private int offset;
    private int length;
    /** Bytes of this buffer, from the offset on. */
    private int held;
    private @Nullable ByteBuffer internal;
    /** The memory that {@code internal} is a view of. */
    private ByteBuffer internalOf = NOTHING;

    private LabyrinthByteBuf(Recycler.Handle<LabyrinthByteBuf> recycling) {
        super(0);
        this.recycling = recycling;
    }

    /** A buffer without memory: {@link LabyrinthByteBufAllocator#place} gives it some. */
    static LabyrinthByteBuf fresh(LabyrinthByteBufAllocator allocator, int maxCapacity) {
        LabyrinthByteBuf buffer = RECYCLER.get();
        buffer.allocator = allocator;
        buffer.maxCapacity(maxCapacity);
        buffer.resetRefCnt();
        buffer.clear();
        buffer.markReaderIndex();
        buffer.markWriterIndex();
        return buffer;
    }

    // --------------------------------------------------------------------------------------------------- its memory

    /** @param start where the object or the run begins, in bytes from the labyrinth's first frame on */
    void moveInto(@Nullable Slab slab, long handle, Window window, long start, int held) {
        hold(slab, handle, null, window.memory(), (int) (start - window.start()), held);
    }

    /**
     * Moves into a buffer of another allocator.
     *
     * @param memory all of that buffer
     */
    void moveInto(ByteBuf other, ByteBuffer memory) {
        hold(null, 0, other, memory, 0, memory.capacity());
    }

    private void hold(@Nullable Slab slab, long handle, @Nullable ByteBuf other, ByteBuffer memory, int offset,
            int held) {
        this.slab = slab;
        this.handle = handle;
        this.other = other;
        this.memory = memory;
        this.offset = offset;
        this.held = held;
    }

    /** Like {@link #capacity(int)}, for a buffer that has no content yet. */
    void start(int capacity) {
        length = capacity;
    }

    private void giveBack(@Nullable Slab slab, long handle, @Nullable ByteBuf other, int held) {
        if (other != null) {
            allocator.free(other, held);
        } else if (handle != 0) {
            allocator.free(slab, handle, held);
        }
    }

    @Override
    protected void deallocate() {
        Slab slab = this.slab;
        long handle = this.handle;
        ByteBuf other = this.other;
        int held = this.held;
        // From now on no byte can be reached, even if Netty was told not to check whether a buffer is released.
        hold(null, 0, null, NOTHING, 0, 0);
        giveBack(slab, handle, other, held);
        recycling.recycle(this);
    }

    @Override
    public int capacity() {
        return length;
    }

    /** Stays in place if there is room, and no smaller place would do. Otherwise copies. */
    @Override
    public ByteBuf capacity(int newCapacity) {
        checkNewCapacity(newCapacity);
        if (newCapacity > held) {
            move(newCapacity, true);
        } else if (newCapacity < length) {
            trimIndicesToCapacity(newCapacity);
            if (allocator.heldFor(newCapacity) < held) {
                move(newCapacity, false);
            }
        }
        length = newCapacity;
        return this;
    }

    /**
     * @param needed true: there must be a new place, or the call fails. False: it moves only into a smaller place, and
     *               stays if there is none
     */
    private void move(int newCapacity, boolean needed) {
        Slab oldSlab = slab;
        long oldHandle = handle;
        ByteBuf oldOther = other;
        ByteBuffer oldMemory = memory;
        int oldOffset = offset;
        int oldHeld = held;
        boolean moved = false;
        try {
            if (needed) {
                allocator.place(this, newCapacity);
            } else if (!allocator.placeInFrames(this, newCapacity) || held >= oldHeld) {
                return;
            }
            memory.put(offset, oldMemory, oldOffset, Math.min(length, newCapacity));
            moved = true;
        } finally {
            // Gives back the place that the buffer is not in now.
            if (moved) {
                giveBack(oldSlab, oldHandle, oldOther, oldHeld);
            } else if (memory != oldMemory || offset != oldOffset) {
                Slab newSlab = slab;
                long newHandle = handle;
                ByteBuf newOther = other;
                int newHeld = held;
                hold(oldSlab, oldHandle, oldOther, oldMemory, oldOffset, oldHeld);
                giveBack(newSlab, newHandle, newOther, newHeld);
            }
        }
    }

    @Override
    public int maxFastWritableBytes() {
        return Math.min(held, maxCapacity()) - writerIndex();
    }

    @Override
    public ByteBufAllocator alloc() {
        return allocator;
    }

    @Override
    @Deprecated
    public ByteOrder order() {
        return ByteOrder.BIG_ENDIAN;
    }

    @Override
    public @Nullable ByteBuf unwrap() {
        return null;
    }

    @Override
    public boolean isDirect() {
        return true;
    }

    @Override
    public boolean isContiguous() {
        return true;
    }

    @Override
    public boolean hasArray() {
        return false;
    }

    @Override
    public byte[] array() {
        throw new UnsupportedOperationException("direct buffer");
    }

    @Override
    public int arrayOffset() {
        throw new UnsupportedOperationException("direct buffer");
    }

    @Override
    public boolean hasMemoryAddress() {
        ByteBuf other = this.other;
        return other == null || other.hasMemoryAddress();
    }

    @Override
    public long memoryAddress() {
        ensureAccessible();
        ByteBuf other = this.other;
        return other == null ? allocator.address(slab, handle) : other.memoryAddress();
    }

    @Override
    public int nioBufferCount() {
        return 1;
    }

    @Override
    public ByteBuffer nioBuffer(int index, int length) {
        checkIndex(index, length);
        return memory.slice(at(index), length);
    }

    @Override
    public ByteBuffer[] nioBuffers(int index, int length) {
        return new ByteBuffer[] {nioBuffer(index, length)};
    }

    @Override
    public ByteBuffer internalNioBuffer(int index, int length) {
        checkIndex(index, length);
        ByteBuffer view = internal;
        if (view == null || internalOf != memory) {
            view = memory.duplicate();
            internal = view;
            internalOf = memory;
        }
        int start = at(index);
        return view.limit(start + length).position(start);
    }

    @Override
    public ByteBuf copy(int index, int length) {
        checkIndex(index, length);
        return allocator.directBuffer(length, maxCapacity()).writeBytes(this, index, length);
    }

    private int at(int index) {
        return offset + index;
    }

    // ---------------------------------------------------------------------------------------------------- its bytes

    @Override
    protected byte _getByte(int index) {
        return memory.get(at(index));
    }

    @Override
    protected short _getShort(int index) {
        return memory.getShort(at(index));
    }

    @Override
    protected short _getShortLE(int index) {
        return Short.reverseBytes(_getShort(index));
    }

    @Override
    protected int _getUnsignedMedium(int index) {
        return (_getShort(index) & 0xffff) << 8 | _getByte(index + 2) & 0xff;
    }

    @Override
    protected int _getUnsignedMediumLE(int index) {
        return _getShortLE(index) & 0xffff | (_getByte(index + 2) & 0xff) << 16;
    }

    @Override
    protected int _getInt(int index) {
        return memory.getInt(at(index));
    }

    @Override
    protected int _getIntLE(int index) {
        return Integer.reverseBytes(_getInt(index));
    }

    @Override
    protected long _getLong(int index) {
        return memory.getLong(at(index));
    }

    @Override
    protected long _getLongLE(int index) {
        return Long.reverseBytes(_getLong(index));
    }

    @Override
    protected void _setByte(int index, int value) {
        memory.put(at(index), (byte) value);
    }

    @Override
    protected void _setShort(int index, int value) {
        memory.putShort(at(index), (short) value);
    }

    @Override
    protected void _setShortLE(int index, int value) {
        _setShort(index, Short.reverseBytes((short) value));
    }

    @Override
    protected void _setMedium(int index, int value) {
        _setShort(index, value >>> 8);
        _setByte(index + 2, value);
    }

    @Override
    protected void _setMediumLE(int index, int value) {
        _setShortLE(index, value);
        _setByte(index + 2, value >>> 16);
    }

    @Override
    protected void _setInt(int index, int value) {
        memory.putInt(at(index), value);
    }

    @Override
    protected void _setIntLE(int index, int value) {
        _setInt(index, Integer.reverseBytes(value));
    }

    @Override
    protected void _setLong(int index, long value) {
        memory.putLong(at(index), value);
    }

    @Override
    protected void _setLongLE(int index, long value) {
        _setLong(index, Long.reverseBytes(value));
    }

    @Override
    public ByteBuf getBytes(int index, ByteBuf to, int toIndex, int length) {
        checkDstIndex(index, length, toIndex, to.capacity());
        if (to.hasArray()) {
            memory.get(at(index), to.array(), to.arrayOffset() + toIndex, length);
        } else if (to.nioBufferCount() == 1) {
            to.nioBuffer(toIndex, length).put(0, memory, at(index), length);
        } else {
            to.setBytes(toIndex, this, index, length);
        }
        return this;
    }

    @Override
    public ByteBuf getBytes(int index, byte[] to, int toIndex, int length) {
        checkDstIndex(index, length, toIndex, to.length);
        memory.get(at(index), to, toIndex, length);
        return this;
    }

    @Override
    public ByteBuf getBytes(int index, ByteBuffer to) {
        int bytes = to.remaining();
        checkIndex(index, bytes);
        to.put(to.position(), memory, at(index), bytes).position(to.position() + bytes);
        return this;
    }

    @Override
    public ByteBuf getBytes(int index, OutputStream to, int length) throws IOException {
        checkIndex(index, length);
        byte[] piece = new byte[Math.min(length, PIECE)];
        int bytes;
        for (int done = 0; done < length; done += bytes) {
            bytes = Math.min(piece.length, length - done);
            memory.get(at(index + done), piece, 0, bytes);
            to.write(piece, 0, bytes);
        }
        return this;
    }

    @Override
    public int getBytes(int index, GatheringByteChannel to, int length) throws IOException {
        return to.write(nioBuffer(index, length));
    }

    @Override
    public int getBytes(int index, FileChannel to, long position, int length) throws IOException {
        return to.write(nioBuffer(index, length), position);
    }

    @Override
    public ByteBuf setBytes(int index, ByteBuf from, int fromIndex, int length) {
        checkSrcIndex(index, length, fromIndex, from.capacity());
        if (from instanceof LabyrinthByteBuf that) {
            that.ensureAccessible();
            memory.put(at(index), that.memory, that.at(fromIndex), length);
        } else if (from.hasArray()) {
            memory.put(at(index), from.array(), from.arrayOffset() + fromIndex, length);
        } else if (from.nioBufferCount() == 1) {
            memory.put(at(index), from.nioBuffer(fromIndex, length), 0, length);
        } else {
            from.getBytes(fromIndex, this, index, length);
        }
        return this;
    }

    @Override
    public ByteBuf setBytes(int index, byte[] from, int fromIndex, int length) {
        checkSrcIndex(index, length, fromIndex, from.length);
        memory.put(at(index), from, fromIndex, length);
        return this;
    }

    @Override
    public ByteBuf setBytes(int index, ByteBuffer from) {
        int bytes = from.remaining();
        checkIndex(index, bytes);
        memory.put(at(index), from, from.position(), bytes);
        from.position(from.limit());
        return this;
    }

    @Override
    public int setBytes(int index, InputStream from, int length) throws IOException {
        checkIndex(index, length);
        byte[] piece = new byte[Math.min(length, PIECE)];
        int bytes = from.read(piece);
        if (bytes > 0) {
            memory.put(at(index), piece, 0, bytes);
        }
        return bytes;
    }

    @Override
    public int setBytes(int index, ScatteringByteChannel from, int length) throws IOException {
        try {
            return from.read(internalNioBuffer(index, length));
        } catch (ClosedChannelException e) {
            return -1;
        }
    }

    @Override
    public int setBytes(int index, FileChannel from, long position, int length) throws IOException {
        try {
            return from.read(internalNioBuffer(index, length), position);
        } catch (ClosedChannelException e) {
            return -1;
        }
    }

    // These reads use internalNioBuffer: they move readerIndex, so only one thread may be in them.

    @Override
    public int readBytes(GatheringByteChannel to, int length) throws IOException {
        checkReadableBytes(length);
        int bytes = to.write(internalNioBuffer(readerIndex(), length));
        readerIndex(readerIndex() + bytes);
        return bytes;
    }

    @Override
    public int readBytes(FileChannel to, long position, int length) throws IOException {
        checkReadableBytes(length);
        int bytes = to.write(internalNioBuffer(readerIndex(), length), position);
        readerIndex(readerIndex() + bytes);
        return bytes;
    }
}
