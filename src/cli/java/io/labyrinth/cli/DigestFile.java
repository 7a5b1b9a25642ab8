package io.labyrinth.cli;

import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * A file on its way from the one who finds it to the one who prints its line.
 *
 * @param name as it is printed, in bytes
 * @param path null where it is known already that there is nothing to read
 */
record DigestFile(String name, @Nullable Path path, CompletableFuture<Outcome> outcome) {

    /** No more files. */
    static final DigestFile END = new DigestFile("", null);

    /** Either the SHA-256 or why there is none. */
    record Outcome(@Nullable String sum, long bytes, @Nullable String failure) {
    }

    DigestFile(String name, @Nullable Path path) {
        this(name, path, new CompletableFuture<>());
    }

    Path pathToRead() {
        return Objects.requireNonNull(path);
    }

    void done(@Nullable String sum, long bytes, @Nullable String failure) {
        outcome.complete(new Outcome(sum, bytes, failure));
    }
}
