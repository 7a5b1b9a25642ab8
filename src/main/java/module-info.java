/** See {@link io.labyrinth}. The command line needs the static ones, the library none of them. */
module io.labyrinth {
    requires static transitive org.jspecify;
    requires org.slf4j;

    requires static com.google.gson;
    requires static info.picocli;
    requires static me.tongfei.progressbar;
    requires static jdk.httpserver;

    exports io.labyrinth;
    exports io.labyrinth.map;
    opens io.labyrinth.cli to info.picocli, com.google.gson;
}
