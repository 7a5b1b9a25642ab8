/** See {@link io.labyrinth}. */
module io.labyrinth {
    requires static transitive org.jspecify;
    requires org.slf4j;

    exports io.labyrinth;
}
