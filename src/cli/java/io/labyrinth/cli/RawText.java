package io.labyrinth.cli;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * File names as they are: bytes, which need not be text in any encoding. Everywhere in the command line a name is a
 * {@code String} with one char for each byte (ISO 8859-1), from the arguments to the lines that are printed.
 */
final class RawText {

    /*
     * The JVM decodes its arguments by the locale. What it cannot decode is lost: under LANG=C each byte above 127. The
     * kernel still has the bytes, in /proc/self/cmdline. A Path keeps the bytes that a directory listing gave it, and a
     * file: URI can say any byte as %XX. So a name becomes a Path through a URI, and a Path becomes a name through a
     * URI, unless all is ASCII.
     */

    private static final String HEX = "0123456789ABCDEF";

    private RawText() {
    }

    /** The arguments in bytes. If the kernel does not say them, they are what the JVM made of them, in its encoding. */
    static String[] arguments(String[] args) {
        Charset charset = Charset.forName(System.getProperty("sun.jnu.encoding"));
        String[] raw = new String[args.length];
        String[] all;
        try {
            all = Files.readString(Path.of("/proc/self/cmdline"), StandardCharsets.ISO_8859_1).split("\0", -1);
        } catch (IOException e) {
            all = new String[0];
        }
        // Each argument ends with a 0, so the last part of the split is empty.
        int first = all.length - 1 - args.length;
        for (int i = 0; i < args.length; i++) {
            String seen = first < 0 ? "" : all[first + i];
            boolean same = new String(bytes(seen), charset).equals(args[i]);
            raw[i] = same ? seen : new String(args[i].getBytes(charset), StandardCharsets.ISO_8859_1);
        }
        return raw;
    }

    static byte[] bytes(String raw) {
        return raw.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static boolean isAscii(String text) {
        return text.chars().allMatch(c -> c < 0x80);
    }

    static Path path(String raw) {
        // The name of the working directory matters too: the JVM puts what it made of that before a relative path.
        if (isAscii(raw) && (raw.startsWith("/") || isAscii(System.getProperty("user.dir")))) {
            return Path.of(raw);
        }
        StringBuilder uri = new StringBuilder("file://").append(raw.startsWith("/") ? "" : "/proc/self/cwd/");
        for (byte b : bytes(raw)) {
            if (b == '/' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z') {
                uri.append((char) b);
            } else {
                uri.append('%').append(HEX.charAt(b >> 4 & 15)).append(HEX.charAt(b & 15));
            }
        }
        return Path.of(URI.create(uri.toString()));
    }

    /** The last name of a path. The path must have one. */
    static String lastName(Path path) {
        Path name = path.getFileName();
        String decoded = name.toString();
        if (isAscii(decoded)) {
            return decoded;
        }
        // The full path is asked, because a name alone would be looked for in the working directory.
        String uri = path.toUri().getRawPath();
        int end = uri.endsWith("/") ? uri.length() - 1 : uri.length();
        StringBuilder raw = new StringBuilder();
        for (int i = uri.lastIndexOf('/', end - 1) + 1; i < end; i++) {
            char c = uri.charAt(i);
            if (c == '%') {
                raw.append((char) Integer.parseInt(uri, i + 1, i + 3, 16));
                i += 2;
            } else {
                raw.append(c);
            }
        }
        return raw.toString();
    }

    /** A line as sha256sum prints it: it begins with a backslash if the name has a backslash or a line's end. */
    static String sumLine(String hex, String name) {
        String escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r");
        // sha256sum -c would take a bare "-" as standard input.
        return (escaped.equals(name) ? "" : "\\") + hex + "  " + (name.equals("-") ? "./-" : escaped) + "\n";
    }

    /** A name for a message: one line, without control characters, which a terminal obeys. */
    static String visible(String name) {
        StringBuilder text = new StringBuilder();
        char before = 0;
        for (char c : name.toCharArray()) {
            // C2 begins the UTF-8 of a control character above ASCII. C2 9B begins a terminal's commands as ESC [ does.
            boolean wideControl = before == 0xc2 && c >= 0x80 && c < 0xa0;
            before = c;
            if (c < ' ' || c == 0x7f || wideControl) {
                text.append('\\').append(c == '\n' ? "n" : Integer.toOctalString(c | 01000).substring(1));
            } else {
                text.append(c);
            }
        }
        return text.toString();
    }
}
