package io.labyrinth.jars;

import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarFile;
import java.util.zip.ZipEntry;

/** A jar that the build has made, as it lies in {@code target}. */
record Jar(Path path) {

    /** What a program printed, to both of its outputs, and how it ended. */
    record Said(int code, String text) {
    }

    static Jar built(String name) {
        Path path = Path.of("target", name).toAbsolutePath();
        if (!Files.exists(path)) {
            throw new AssertionError(path + " is missing: make build makes it");
        }
        return new Jar(path);
    }

    /** Of its entries, folders among them. */
    List<String> names() throws IOException {
        try (JarFile jar = new JarFile(path.toFile())) {
            return jar.stream().map(ZipEntry::getName).toList();
        }
    }

    Attributes attributes() throws IOException {
        try (JarFile jar = new JarFile(path.toFile())) {
            return jar.getManifest().getMainAttributes();
        }
    }

    DataInputStream open(String name) throws IOException {
        try (JarFile jar = new JarFile(path.toFile())) {
            return new DataInputStream(new ByteArrayInputStream(
                    jar.getInputStream(jar.getJarEntry(name)).readAllBytes()));
        }
    }

    static Said run(Path folder, List<String> command) throws IOException, InterruptedException {
        Path out = Files.createTempFile("labyrinth", ".out");
        Process process = new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true)
                .redirectOutput(out.toFile()).start();
        try {
            return new Said(process.waitFor(), Files.readString(out));
        } finally {
            process.destroyForcibly();    // where the test's own time was over
            Files.delete(out);
        }
    }
}
