package io.labyrinth;

/**
 * What a labyrinth refuses. Each kind of refusal has its own type. Each message has the fact, the limit and the remedy,
 * as {@code name=value}. A refusal changes nothing: the page map and the mapping are as they were before the call. Only
 * {@link CloseRefused} is different.
 *
 * <p>An allocation that finds nothing is not an exception. It returns {@code null}, because nobody has made a mistake.
 * Only an arena has to throw {@link OutOfFrames}, because its callers do not expect {@code null}.
 */
public abstract sealed class LabyrinthException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private LabyrinthException(String message) {
        super(message);
    }

    /** No labyrinth can serve the request: its size, its order or its combination of flags is not within the limits. */
    public static final class InvalidRequest extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public InvalidRequest(String message) {
            super(message);
        }
    }

    /** The system did not map that much memory, or did not fault it in. */
    public static final class MapRefused extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public MapRefused(String message) {
            super(message);
        }
    }

    /** The system did not lock that much memory. */
    public static final class LockRefused extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public LockRefused(String message) {
            super(message);
        }
    }

    /** The file is not a shared labyrinth, or is one that is incomplete, damaged, or of another version or machine. */
    public static final class NotALabyrinth extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public NotALabyrinth(String message) {
            super(message);
        }
    }

    /** Live processes have all slots of the shared labyrinth. */
    public static final class NoVacancy extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public NoVacancy(String message) {
            super(message);
        }
    }

    /** The JVM does not let the library call native code. */
    public static final class NativeAccessDenied extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public NativeAccessDenied(String message) {
            super(message);
        }
    }

    /** The system is not Linux. A labyrinth needs Linux. */
    public static final class UnsupportedSystem extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public UnsupportedSystem(String message) {
            super(message);
        }
    }

    /** The handle, frame or ticket names a life that has ended: freed, handed over or swept before. */
    public static final class Stale extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public Stale(String message) {
            super(message);
        }
    }

    /** The run is EXCLUSIVE to another thread. */
    public static final class NotOwner extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public NotOwner(String message) {
            super(message);
        }
    }

    /** The handle names a frame that this labyrinth does not have. */
    public static final class Foreign extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public Foreign(String message) {
            super(message);
        }
    }

    /** An arena needs a run, and found none free. Other requests return {@code null} then; an arena cannot. */
    public static final class OutOfFrames extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        OutOfFrames(String message) {
            super(message);
        }
    }

    /** The labyrinth or slab cannot close: frames, objects or tickets are out, or native code still uses a segment. */
    public static final class FramesOut extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public FramesOut(String message) {
            super(message);
        }
    }

    /**
     * The system did not take everything back, or the heap is full. Unlike the other refusals, this one may come
     * half-way. Then the labyrinth or slab has ended for all its users, and remembers what is left to do. The next
     * close goes on there, until nothing is mapped, locked or open.
     */
    public static final class CloseRefused extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public CloseRefused(String message) {
            super(message);
        }
    }

    /** The labyrinth is closed. */
    public static final class Closed extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public Closed(String message) {
            super(message);
        }
    }
}
