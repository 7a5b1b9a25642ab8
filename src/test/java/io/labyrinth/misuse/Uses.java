package io.labyrinth.misuse;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.LabyrinthException.InvalidRequest;
import io.labyrinth.LabyrinthException.Stale;
import io.labyrinth.Ticket;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;

/** Use after free, use out of bounds, and reads of bytes that were never written. */
final class Uses extends Program {

    private static final String ENDED = "this life of it has ended (freed, handed over or swept before)";

    private MemorySegment ofFreedFrame() {
        Frame frame = labyrinth.allocPage(MINE);
        MemorySegment segment = frame.segment();
        frame.close();
        return segment;
    }

    /** Of a frame that somebody else has by now. */
    private MemorySegment ofFrameOfAnother() {
        MemorySegment segment = ofFreedFrame();
        mustBe(victim().segment().address() == segment.address(), "the frame went to another");
        return segment;
    }

    @Outcome(type = IllegalStateException.class, says = "Already closed")
    void readAfterFree() {
        ofFreedFrame().get(LONG, 0);
    }

    @Outcome(type = IllegalStateException.class, says = "Already closed")
    void writeAfterFree() {
        ofFreedFrame().set(LONG, 4088, 1);
    }

    @Outcome(type = IllegalStateException.class, says = "Already closed")
    void readAfterFreeReuse() {
        ofFrameOfAnother().get(LONG, 0);
    }

    @Outcome(type = IllegalStateException.class, says = "Already closed")
    void writeAfterFreeReuse() {
        ofFrameOfAnother().set(LONG, 8, 1);
    }

    @Outcome(type = IllegalStateException.class, says = "Already closed")
    void fillAfterFreeReuse() {
        ofFrameOfAnother().fill((byte) 1);
    }

    @Outcome(type = IllegalStateException.class, says = "Already closed")
    void writeAfterFreeReuseLarge() {
        Frame run = labyrinth.allocPages(MINE, 4);
        MemorySegment segment = run.segment();
        run.close();
        mustBe(victim(MINE, 4).pfn() == run.pfn(), "the run went to another");
        segment.set(LONG, segment.byteSize() - 8, 1);
    }

    @Outcome(type = IllegalStateException.class, says = "Already closed")
    void useAfterFreeOfSlice() {
        Frame frame = labyrinth.allocPage(MINE);
        MemorySegment slice = frame.segment().asSlice(64, 128);
        frame.close();
        victim();
        slice.set(LONG, 0, 1);
    }

    @Outcome(type = IllegalStateException.class, says = "Already closed")
    void useAfterFreeOfBuffer() {
        Frame frame = labyrinth.allocPage(MINE);
        ByteBuffer buffer = frame.segment().asByteBuffer();
        frame.close();
        victim();
        buffer.putLong(0, 1);
    }

    @Outcome(type = IllegalStateException.class, says = "Already closed")
    @SuppressWarnings("restricted")
    void useAfterFreeOfReinterpreted() {
        Frame frame = labyrinth.allocPage(MINE);
        MemorySegment same = frame.segment().reinterpret(frame.byteSize());
        frame.close();
        victim();
        same.set(LONG, 0, 1);
    }

    @Outcome(type = Stale.class, says = {"segment refused", "the frame is state=FREE order=0", ENDED})
    void segmentAfterFree() {
        Frame frame = labyrinth.allocPage(MINE);
        frame.close();
        frame.segment();
    }

    @Outcome(type = Stale.class, says = {"segment refused", "the frame is state=HEAD order=0", ENDED})
    void segmentAfterFreeReuse() {
        Frame frame = labyrinth.allocPage(MINE);
        frame.close();
        mustBe(victim().pfn() == frame.pfn(), "the frame went to another");
        frame.segment();
    }

    @Outcome(type = Stale.class, says = {"segment refused", "the frame is state=FREE order=0", ENDED})
    void segmentAfterFreeOfShared() {
        Frame frame = labyrinth.allocPage(SHARED);
        frame.segment().set(LONG, 0, 1);
        frame.close();
        frame.segment();
    }

    @Outcome(type = Stale.class, says = {"access refused", "the frame is state=FREE order=0", ENDED})
    void readAfterFreeByHandle() {
        long handle = handles.alloc(MINE, 0);
        handles.free(handle);
        handles.getLong(handle, 0);
    }

    @Outcome(type = Stale.class, says = {"access refused", "the frame is state=HEAD order=0", ENDED})
    void writeAfterFreeReuseByHandle() {
        long handle = handles.alloc(MINE, 0);
        handles.free(handle);
        mustBe(handles.pfn(victimHandle(MINE, 0)) == handles.pfn(handle), "the frame went to another");
        handles.putLong(handle, 0, 1);
    }

    @Outcome(type = Stale.class, says = {"access refused", "the frame is state=HEAD order=0", ENDED})
    void writeAfterFreeReuseBySharedHandle() {
        long handle = handles.alloc(SHARED, 0);
        handles.free(handle);
        mustBe(handles.pfn(victimHandle(SHARED, 0)) == handles.pfn(handle), "the frame went to another");
        handles.putByte(handle, 0, (byte) 1);
    }

    @Outcome(type = Stale.class, says = {"address refused", "the frame is state=FREE order=0", ENDED})
    void addressAfterFree() {
        long handle = handles.alloc(MINE, 0);
        handles.free(handle);
        handles.address(handle);
    }

    @Outcome(type = IllegalStateException.class, says = "Already closed", out = 1)
    void useAfterHandOver() {
        Frame frame = labyrinth.allocPage(MINE);
        MemorySegment segment = frame.segment();
        frame.handOff();
        segment.set(LONG, 0, 1);
    }

    /** The giver writes to what the taker has. */
    @Outcome(type = IllegalStateException.class, says = "Already closed", out = 1)
    void useAfterAccept() throws Throwable {
        Frame frame = labyrinth.allocPage(MINE);
        MemorySegment segment = frame.segment();
        segment.set(LONG, 0, 7);
        Ticket ticket = frame.handOff();
        elsewhere(() -> mustBe(ticket.accept().segment().get(LONG, 0) == 7, "the taker reads what the giver wrote"));
        segment.set(LONG, 0, 1);
    }

    @Outcome(type = Stale.class, says = {"access refused", "the frame is state=IN_TRANSIT order=0", ENDED}, out = 1)
    void useAfterHandOverByHandle() {
        long handle = handles.alloc(MINE, 0);
        handles.handOff(handle);
        handles.putLong(handle, 0, 1);
    }

    @Outcome(type = Stale.class, says = {"access refused", "the frame is state=IN_TRANSIT order=0", ENDED}, out = 1)
    void useOfTicket() {
        handles.putLong(handles.handOff(handles.alloc(SHARED, 0)), 0, 1);
    }

    @Outcome(type = InvalidRequest.class, says = {"segment refused", "is EXCLUSIVE", "allocate a Frame"})
    void segmentOfExclusiveHandle() {
        handles.segment(victimHandle(MINE, 0));
    }

    @Outcome(type = IndexOutOfBoundsException.class, says = {"Out of bound access", "offset = -8"})
    void outOfBoundsFront() {
        victim().segment().set(LONG, -8, 1);
    }

    @Outcome(type = IndexOutOfBoundsException.class, says = {"Out of bound access", "offset = 4096"})
    void outOfBoundsBack() {
        Frame frame = victim();
        frame.segment().set(LONG, frame.byteSize(), 1);
    }

    @Outcome(type = IndexOutOfBoundsException.class, says = {"Out of bound access", "offset = 4089"})
    void overflowByOneByte() {
        victim().segment().set(ValueLayout.JAVA_LONG_UNALIGNED, 4089, 1);
    }

    @Outcome(type = IndexOutOfBoundsException.class, says = {"Out of bound access", "offset = 0; new length = 8192"})
    void overflowByCopy() {
        victim().segment().copyFrom(victim(MINE, 1).segment());
    }

    @Outcome(type = IndexOutOfBoundsException.class, says = "Out of bound access")
    void stringOverflow() {
        Frame frame = labyrinth.allocPage(MINE);
        try (frame) {
            frame.segment().setString(0, "x".repeat(4096));
        }
    }

    @Outcome(type = IndexOutOfBoundsException.class, says = {"Out of bound access", "offset = 4096"})
    void outOfBoundsBackOfShared() {
        Frame frame = victim(SHARED, 0);
        frame.segment().set(LONG, frame.byteSize(), 1);
    }

    @Outcome(type = IndexOutOfBoundsException.class, says = "access refused: offset=-1 bytes=8 limit=4096")
    void outOfBoundsFrontByHandle() {
        handles.putLong(victimHandle(MINE, 0), -1, 1);
    }

    @Outcome(type = IndexOutOfBoundsException.class, says = "access refused: offset=8192 bytes=1 limit=8192")
    void outOfBoundsBackByHandle() {
        handles.putByte(victimHandle(MINE, 1), 8192, (byte) 1);
    }

    @Outcome(type = IndexOutOfBoundsException.class, says = "access refused: offset=4089 bytes=8 limit=4096")
    void overflowByOneByteByHandle() {
        handles.putLong(victimHandle(SHARED, 0), 4089, 1);
    }

    /** The sum of place and offset would wrap around. */
    @Outcome(type = IndexOutOfBoundsException.class, says = "access refused: offset=9223372036854775807 bytes=8")
    void outOfBoundsByHandleWrapped() {
        handles.getLong(victimHandle(MINE, 0), Long.MAX_VALUE);
    }

    @Outcome(type = IllegalArgumentException.class, says = "read-only")
    void writeToDescriptor() {
        victim().descriptor().set(LONG, 0, 1);
    }

    @Outcome(type = IndexOutOfBoundsException.class, says = {"Out of bound access", "offset = 16"})
    void readPastDescriptor() {
        victim().descriptor().get(LONG, 16);
    }

    /** Allowed, and said so: such a segment lives as long as the labyrinth. */
    @Outcome
    void readAfterFreeOfShared() {
        Frame frame = labyrinth.allocPage(SHARED);
        MemorySegment segment = frame.segment();
        segment.set(LONG, 0, 5);
        frame.close();
        mustBe(segment.get(LONG, 0) == 5, "nobody else has it yet");
    }

    /** A frame holds what its last owner left there. */
    @Outcome
    void uninitializedRead() {
        try (Frame frame = labyrinth.allocPage(MINE)) {
            frame.segment().set(LONG, 40, 9);
        }
        try (Frame frame = labyrinth.allocPage(MINE)) {
            mustBe(frame.segment().get(LONG, 40) == 9, "it is the same frame, as it was left");
        }
    }

    @Outcome
    void uninitializedReadZeroed() {
        try (Frame frame = labyrinth.allocPage(MINE)) {
            frame.segment().fill((byte) 9);
        }
        try (Frame frame = labyrinth.allocPage(MINE.with(Gfp.ZERO))) {
            mustBe(frame.segment().mismatch(MemorySegment.ofArray(new byte[4096])) == -1, "all zeros");
        }
    }
}
