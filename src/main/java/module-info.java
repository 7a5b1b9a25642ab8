/** See {@link io.labyrinth}. The static ones are for the integrations; the core needs none. */
@SuppressWarnings("requires-automatic")    // Micrometer has no descriptor
module io.labyrinth {
    requires static transitive org.jspecify;
    requires org.slf4j;
    // A sweep asks it who lives. Not static: a named module that nobody requires is not there.
    requires transitive java.management;

    // Each for a package or a class that nothing else needs.
    requires static jdk.jfr;
    // Not transitive, although the signatures of the integrations name them. Otherwise every module that is compiled
    // against this one would need them.
    requires static micrometer.core;
    requires static io.netty.buffer;
    requires static io.netty.common;
    requires static org.apache.arrow.memory.core;
    requires static jdk.httpserver;

    exports io.labyrinth;
    exports io.labyrinth.jmx;
    exports io.labyrinth.micrometer;
    exports io.labyrinth.map;
    exports io.labyrinth.arrow;
    exports io.labyrinth.netty;
}
