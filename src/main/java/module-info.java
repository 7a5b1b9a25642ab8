/** See {@link io.labyrinth}. The static ones are for the command line and the integrations; the core needs none. */
module io.labyrinth {
    requires static transitive org.jspecify;
    requires org.slf4j;

    // Not transitive, though they are in the integrations' signatures: whoever compiles a module against this one would
    // have to have them.
    requires static io.netty.buffer;
    requires static io.netty.common;
    requires static org.apache.arrow.memory.core;

    requires static com.google.gson;
    requires static info.picocli;
    requires static me.tongfei.progressbar;

    exports io.labyrinth;
    exports io.labyrinth.arrow;
    exports io.labyrinth.netty;
    opens io.labyrinth.cli to info.picocli, com.google.gson;
}
