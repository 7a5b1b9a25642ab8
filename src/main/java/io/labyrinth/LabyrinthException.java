package io.labyrinth;

/**
 * What a labyrinth refuses. Each kind is a type of its own; each message has the fact, the limit and the remedy, as
 * {@code name=value}. A refusal changes nothing: the page map and the mapping are as they were before the call; but for
 * {@link CloseRefused}.
 *
 * <p>Not among them: an allocation that finds nothing. That is {@code null}, as it is no mistake of anybody's; only an
 * arena, whose callers do not look for {@code null}, has to throw.
 */
public abstract sealed class LabyrinthException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private LabyrinthException(String message) {
        super(message);
    }

    /** The request means nothing: a size, an order or a combination of flags that no labyrinth can serve. */
    public static final class InvalidRequest extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public InvalidRequest(String message) {
            super(message);
        }
    }

    /** The system would not map or fault in so much memory. */
    public static final class MapRefused extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public MapRefused(String message) {
            super(message);
        }
    }

    /** The system would not lock so much memory. */
    public static final class LockRefused extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public LockRefused(String message) {
            super(message);
        }
    }

    /** The file is no shared labyrinth that could be trusted: torn, cut, corrupted, of another version or machine. */
    public static final class NotALabyrinth extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public NotALabyrinth(String message) {
            super(message);
        }
    }

    /** All slots of a shared labyrinth are taken by processes that live. */
    public static final class NoVacancy extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public NoVacancy(String message) {
            super(message);
        }
    }

    /** The JVM would not let the library call native code. */
    public static final class NativeAccessDenied extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public NativeAccessDenied(String message) {
            super(message);
        }
    }

    /** The system is not Linux, and a labyrinth needs it. */
    public static final class UnsupportedSystem extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public UnsupportedSystem(String message) {
            super(message);
        }
    }

    /** The handle, frame or ticket is of a life that has ended: freed, handed over or swept before. */
    public static final class Stale extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public Stale(String message) {
            super(message);
        }
    }

    /** The run is EXCLUSIVE, and another thread's. */
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

    /** An arena needs a run, and none is free: what {@code null} says elsewhere, and an arena cannot. */
    public static final class OutOfFrames extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        OutOfFrames(String message) {
            super(message);
        }
    }

    /** The labyrinth cannot close: frames or tickets are out, or native code still uses one. */
    public static final class FramesOut extends LabyrinthException {
        private static final long serialVersionUID = 1L;

        public FramesOut(String message) {
            super(message);
        }
    }

    /**
     * The system, or the heap, would not let all of it be given back. Unlike the others this may come half-way: then
     * the labyrinth or slab has ended for all who use it, and remembers what is left to do. Closing it again goes on
     * there, until nothing of it is mapped, locked or open.
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
