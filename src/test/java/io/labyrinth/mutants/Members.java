package io.labyrinth.mutants;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where the members of a class stand in its source. A member is named as a reader would name it: {@code PageMap.claim};
 * a constructor by its class, {@code Zone.Zone}; a field or a constant by itself; what is in a nested class by both,
 * {@code Zone.Listener.refused}. Methods of one name are one member, in several places.
 */
final class Members {

    /** Whole lines, from the first annotation or the signature to the closing brace or the semicolon: no Javadoc. */
    record Place(int from, int to) {
    }

    private static final Pattern COMMENT_OR_LITERAL = Pattern.compile("//[^\n]*|(?s:/\\*.*?\\*/|\"\"\".*?\"\"\")"
            + "|\"(?:\\\\.|[^\"\\\\\n])*+\"|'(?:\\\\.|[^'\\\\\n])*+'");
    private static final Pattern ANNOTATION = Pattern.compile("@(?!interface\\b)[\\w.]+(\\s*\\([^()]*\\))?");
    private static final Pattern TYPE = Pattern.compile("\\b(?:class|interface|enum|record)\\s+(\\w+)");
    private static final Pattern NAME = Pattern.compile("^[^(={;]*?(\\w+)\\s*[(={;]");

    /** The source, with spaces for comments and literals. */
    private final String bare;
    /** The same, with spaces for annotations as well: what braces are left make its structure. */
    private final String code;

    private Members(String source) {
        this.bare = COMMENT_OR_LITERAL.matcher(source).replaceAll(Members::blank);
        this.code = ANNOTATION.matcher(bare).replaceAll(Members::blank);
    }

    private static String blank(MatchResult found) {
        return found.group().replaceAll("[^\n]", " ");
    }

    /** The places of the member; none if there is no such member. */
    static List<Place> of(String source, String member) {
        Members members = new Members(source);
        List<Place> bodies = List.of(new Place(0, source.length()));
        List<Place> places = List.of();
        for (String name : member.split("\\.")) {
            places = bodies.stream().flatMap(body -> members.named(body, name).stream()).toList();
            bodies = places.stream().map(members::body).toList();
        }
        return places.stream().map(place -> lines(source, place)).toList();
    }

    private static Place lines(String source, Place place) {
        int end = source.indexOf('\n', place.to);
        return new Place(source.lastIndexOf('\n', place.from) + 1, end < 0 ? source.length() : end + 1);
    }

    private Place body(Place member) {
        int brace = code.indexOf('{', member.from);
        return brace < 0 || brace >= member.to ? new Place(member.to, member.to) : new Place(brace + 1, member.to - 1);
    }

    /** What has this name and is directly in the body. */
    private List<Place> named(Place body, String name) {
        List<Place> named = new ArrayList<>();
        int from = next(body.from);
        while (from < body.to) {
            Place member = new Place(from, end(from));
            if (name.equals(name(member))) {
                named.add(member);
            }
            from = next(member.to);
        }
        return named;
    }

    private int next(int from) {
        int at = from;
        while (at < bare.length() && Character.isWhitespace(bare.charAt(at))) {
            at++;
        }
        return at;
    }

    /** After the semicolon or the brace that ends the member. A brace does not end a field: a semicolon follows. */
    private int end(int from) {
        int braces = 0;
        int parentheses = 0;
        boolean isField = false;
        for (int at = from; at < code.length(); at++) {
            char c = code.charAt(at);
            parentheses += c == '(' ? 1 : c == ')' ? -1 : 0;
            braces += c == '{' ? 1 : c == '}' ? -1 : 0;
            if (braces < 0) {
                return at;    // of an enum's constants, after which nothing comes
            }
            boolean isOutside = braces == 0 && parentheses == 0;
            isField |= c == '=' && isOutside;
            if (isOutside && (c == ';' || c == '}' && !isField)) {
                return at + 1;
            }
        }
        return code.length();
    }

    /** Of a type, a method, a constructor or a field; "static" of an initialiser. */
    private String name(Place member) {
        String text = code.substring(member.from, member.to);
        Matcher type = TYPE.matcher(text.substring(0, Math.max(0, text.indexOf('{'))));
        Matcher other = NAME.matcher(text);
        return type.find() ? type.group(1) : other.find() ? other.group(1) : "";
    }
}
