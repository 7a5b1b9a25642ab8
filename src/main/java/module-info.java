/** See {@link io.labyrinth}. The command line needs the static ones, the library none of them. */
@SuppressWarnings({"requires-automatic", "requires-transitive-automatic"})    // Micrometer has no descriptor
module io.labyrinth {
    requires static transitive org.jspecify;
    requires org.slf4j;

    // Each for a package or a class that nothing else needs.
    requires static transitive java.management;
    requires static jdk.jfr;
    requires static transitive micrometer.core;

    requires static com.google.gson;
    requires static info.picocli;
    requires static me.tongfei.progressbar;

    exports io.labyrinth;
    exports io.labyrinth.jmx;
    exports io.labyrinth.micrometer;
    opens io.labyrinth.cli to info.picocli, com.google.gson;
}
