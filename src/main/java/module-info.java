/** See {@link io.labyrinth}. The static ones are for the command line and the integrations; the core needs none. */
module io.labyrinth {
    requires static transitive org.jspecify;
    requires org.slf4j;

    requires static transitive io.netty.buffer;
    requires static io.netty.common;
    requires static transitive org.apache.arrow.memory.core;

    requires static com.google.gson;
    requires static info.picocli;
    requires static me.tongfei.progressbar;

    exports io.labyrinth;
    exports io.labyrinth.arrow;
    exports io.labyrinth.netty;
    opens io.labyrinth.cli to info.picocli, com.google.gson;
}
