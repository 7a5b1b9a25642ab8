package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.kit.ChildJvm;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.ParseException;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Collectors;
import jdk.jfr.Configuration;
import jdk.jfr.EventType;
import jdk.jfr.FlightRecorder;
import jdk.jfr.Recording;
import jdk.jfr.ValueDescriptor;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;

/**
 * What a flight recording shows of a labyrinth. The tests run in child JVMs, because a JVM that has recorded once is
 * not as before.
 */
class FlightTest {

    private static String told(ChildJvm child) {
        ChildJvm.Result result = child.run();
        assertThat(result.exit()).as("%s%n%s", result.out(), result.err()).isZero();
        return result.out();
    }

    @Test
    void theConfigurationInTheJarRecordsEachEventOnce() {
        assertThat(told(ChildJvm.of(Recorded.class).with("jfc")).lines()).containsExactly(
                "RegionLocked labyrinth=flight locked=all requested=mapped",
                "RegionOpened frames=64 labyrinth=flight locked=all mapped=mapped",
                "ReserveUsed gfp=ATOMIC|EXCLUSIVE labyrinth=flight order=2 pfn=56 by Recorded.use",
                "ClaimRefused gfp=HIGH|NOWARN labyrinth=flight order=10 by Recorded.use",
                "HandOver giver=giver labyrinth=flight order=2 pfn=56 thread=receiver",
                "HandOver giver=giver labyrinth=flight order=3 pfn=0 thread=receiver",
                "Sweep frames=4 labyrinth=flight");
    }

    @Test
    void nothingIsToldToARecordingThatDoesNotAsk() {
        assertThat(told(ChildJvm.of(Recorded.class).with("default"))).isEmpty();
    }

    @Test
    void theSameFromTheNamedModule() {
        assertThat(told(ChildJvm.ofModules(Recorded.class, "java.management", "org.slf4j", "org.slf4j.simple",
                "jdk.jfr").with("jfc"))
                .lines()).hasSize(7);
    }

    /** A refusal and a hand-over that wait for nobody to ask must not so much as start the recorder. */
    @Test
    void withoutARecordingTheRecorderIsNotStarted() {
        assertThat(told(ChildJvm.of(Recorded.class).with("none"))).isEqualTo("initialized=false\n");
    }

    /** Takes from the reserve, is refused, hands over, leaves for a sweep; and prints what was recorded of that. */
    static final class Recorded {

        public static void main(String[] args) throws IOException, ParseException, InterruptedException {
            if (args[0].equals("none")) {
                use();
                System.out.println("initialized=" + FlightRecorder.isInitialized());
                return;
            }
            try (Recording recording = args[0].equals("jfc") ? new Recording(shipped())
                    : new Recording(Configuration.getConfiguration(args[0]))) {
                recording.start();
                List<Object> known = use();
                recording.stop();
                Path file = Files.createTempFile("labyrinth", ".jfr");
                try {
                    recording.dump(file);
                    RecordingFile.readAllEvents(file).stream()
                            .filter(event -> event.getEventType().getName().startsWith("io.labyrinth."))
                            .sorted((a, b) -> a.getStartTime().compareTo(b.getStartTime()))
                            .forEach(event -> System.out.println(describe(event, known)));
                } finally {
                    Files.delete(file);
                }
            }
        }

        private static Configuration shipped() throws IOException, ParseException {
            try (InputStreamReader jfc = new InputStreamReader(Objects.requireNonNull(
                    Labyrinth.class.getResourceAsStream("/labyrinth.jfc")), StandardCharsets.UTF_8)) {
                return Configuration.create(jfc);
            }
        }

        private static List<Object> use() throws InterruptedException {
            try (Labyrinth labyrinth = Labyrinth.builder("flight").frames(64).reserve(8).open()) {
                LabyrinthStats stats = labyrinth.stats();
                Handles handles = labyrinth.handles();
                long shared = handles.alloc(Gfp.NOWAIT, 3);
                long[] all = new long[12];
                for (int i = 0; i < all.length; i++) {
                    all[i] = handles.alloc(Gfp.NOWAIT, 2);
                }
                Frame frame = labyrinth.allocPages(Gfp.ATOMIC_EXCLUSIVE, 2);
                handles.alloc(Gfp.HIGH.with(Gfp.NOWARN), 10);
                Ticket ticket = frame.handOff();
                long raw = handles.handOff(shared);
                long[] accepted = new long[1];
                Thread receiver = Thread.ofPlatform().name("receiver").start(() -> {
                    ticket.accept();
                    accepted[0] = handles.accept(raw);
                });
                receiver.join();
                handles.free(accepted[0]);
                for (long handle : all) {
                    handles.free(handle);
                }
                labyrinth.sweepDeadOwners();
                labyrinth.validate();
                return List.of(stats.mappedBytes(), stats.lockedBytes(), Thread.currentThread().threadId());
            }
        }

        private static String describe(RecordedEvent event, List<Object> known) {
            EventType type = event.getEventType();
            TreeMap<String, Object> fields = new TreeMap<>();
            for (ValueDescriptor field : type.getFields()) {
                fields.put(field.getName().replace("Bytes", ""), event.getValue(field.getName()));
            }
            if (fields.remove("took") instanceof Long took && took <= 0) {
                throw new AssertionError("took=" + took);
            }
            for (String time : List.of("startTime", "duration", "eventThread", "stackTrace")) {
                fields.remove(time);
            }
            fields.replaceAll((key, value) -> switch (key) {
                case "mapped", "requested" -> value.equals(known.get(0)) ? "mapped" : value;
                case "locked" -> value.equals(known.get(1)) && value.equals(known.get(0)) ? "all" : value;
                case "giver" -> value.equals(known.get(2)) ? "giver" : value;
                default -> value;
            });
            String text = type.getName().replace("io.labyrinth.", "") + fields.entrySet().stream()
                    .map(field -> " " + field).collect(Collectors.joining());
            if (type.getName().endsWith("HandOver")) {
                return text + " thread=" + event.getThread().getJavaName();
            }
            return type.getName().endsWith("Refused") || type.getName().endsWith("Used") ? text + " by "
                    + event.getStackTrace().getFrames().stream().map(frame -> frame.getMethod().getType().getName()
                            .replaceAll(".*[.$]", "") + "." + frame.getMethod().getName())
                    .filter(method -> method.startsWith("Recorded")).findFirst().orElseThrow() : text;
        }
    }
}
