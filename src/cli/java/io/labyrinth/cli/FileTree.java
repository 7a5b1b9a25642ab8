package io.labyrinth.cli;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Finds the files, as {@code find -H PATH -type f} does: a link that is an argument is followed, a link in a folder is
 * skipped. The order is that of the arguments, and within a folder that of the names' bytes.
 */
final class FileTree {

    private static final int KIND = 0170000;
    private static final Map<Integer, String> KINDS = Map.of(0010000, "a fifo", 0140000, "a socket",
            0020000, "a character device", 0060000, "a block device");

    private final Sink sink;
    long links;

    /** Takes what is found. {@code failure} says why it cannot be read; null if it can. */
    interface Sink {
        void found(String name, @Nullable Path path, long size, @Nullable String failure) throws InterruptedException;
    }

    FileTree(Sink sink) {
        this.sink = sink;
    }

    void argument(String name) throws InterruptedException {
        if (name.isEmpty()) {
            sink.found(name, null, 0, "an empty name");
        } else {
            visit(name, RawText.path(name));
        }
    }

    private void visit(String name, Path path, LinkOption... options) throws InterruptedException {
        try {
            BasicFileAttributes seen = Files.readAttributes(path, BasicFileAttributes.class, options);
            if (seen.isDirectory()) {
                folder(name, path);
            } else if (seen.isSymbolicLink()) {
                links++;
            } else if (seen.isRegularFile()) {
                sink.found(name, path, seen.size(), null);
            } else {
                sink.found(name, null, 0, kind(path) + ", not a file");
            }
        } catch (IOException e) {
            sink.found(name, null, 0, Failures.describe(e));
        }
    }

    private void folder(String name, Path path) throws InterruptedException {
        Map<String, Path> children = new TreeMap<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(path)) {
            for (Path entry : entries) {
                children.put(RawText.lastName(entry), entry);
            }
        } catch (DirectoryIteratorException e) {
            sink.found(name, null, 0, Failures.describe(e));
        } catch (IOException e) {
            sink.found(name, null, 0, Failures.describe(e));
        }
        String prefix = name.endsWith("/") ? name : name + "/";
        for (Map.Entry<String, Path> child : children.entrySet()) {
            visit(prefix + child.getKey(), child.getValue(), LinkOption.NOFOLLOW_LINKS);
        }
    }

    private static String kind(Path path) throws IOException {
        int mode = (int) Files.getAttribute(path, "unix:mode");
        return KINDS.getOrDefault(mode & KIND, "a special file");
    }
}
