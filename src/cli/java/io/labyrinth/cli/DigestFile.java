package io.labyrinth.cli;

import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * A file on its way from the thread that finds it to the thread that prints its line.
 *
 * @param name as it is printed, in bytes
 * @param path null if it is known already that there is nothing to read
 */
record DigestFile(String name, @Nullable Path path, CompletableFuture<Outcome> outcome) {

    /** Says that no more files come. */
    static final DigestFile END = new DigestFile("", null);

    /** Either the SHA-256, or the reason why there is none. */
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
