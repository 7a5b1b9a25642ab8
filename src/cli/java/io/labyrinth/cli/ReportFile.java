package io.labyrinth.cli;

import com.google.gson.GsonBuilder;
import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import org.jspecify.annotations.Nullable;

/** The file that {@code --json} names. It is opened before the work: a bad name is refused at once. */
final class ReportFile implements Closeable {

    private final @Nullable String name;
    private final @Nullable OutputStream out;

    /**
     * @param name null if no file is wanted
     */
    ReportFile(@Nullable String name) throws IOException {
        this.name = name;
        try {
            out = name == null ? null : Files.newOutputStream(RawText.path(name));
        } catch (IOException e) {
            throw cannot(e);
        }
    }

    void write(Report report) throws IOException {
        if (out != null) {
            String data = new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create().toJson(report);
            try {
                out.write((data + "\n").getBytes(StandardCharsets.UTF_8));
            } catch (IOException e) {
                throw cannot(e);
            }
        }
    }

    private IOException cannot(IOException e) {
        return new IOException("json=" + name + ": cannot be written: " + Failures.describe(e), e);
    }

    @Override
    public void close() throws IOException {
        if (out != null) {
            out.close();
        }
    }
}
