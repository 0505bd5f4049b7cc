package io.trainwatch.codec;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.jspecify.annotations.Nullable;

/** One JSON text that is being read, and the words for what is wrong with it. */
final class JsonSource implements Closeable {
    static final int MAX_STRING_CHARACTERS = 64 * 1024;
    static final int MAX_DEPTH = 32;
    static final int MAX_ENTRIES = 100_000;

    private static final int SHOWN_CHARACTERS = 64;

    /** Names are not interned: they come from outside, and interned strings of a hostile sender would stay. */
    static final JsonFactory FACTORY = JsonFactory.builder()
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER)
            .enable(StreamWriteFeature.USE_FAST_DOUBLE_WRITER)
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(MAX_DEPTH)
                    .maxStringLength(MAX_STRING_CHARACTERS)
                    .maxNameLength(MAX_STRING_CHARACTERS)
                    .build())
            .build();

    private final String text;
    private final JsonParser parser;
    private long unknownFields;

    JsonSource(String text) {
        this.text = text;
        this.parser = parse(text);
    }

    private static JsonParser parse(String text) {
        try {
            return FACTORY.createParser(text);
        } catch (IOException e) {
            throw new UncheckedIOException("reading from memory failed", e);
        }
    }

    JsonParser parser() {
        return parser;
    }

    long unknownFields() {
        return unknownFields;
    }

    /** Steps over the value of a field that the schema does not have. */
    void skipUnknown() throws IOException {
        unknownFields++;
        parser.nextToken();
        parser.skipChildren();
    }

    /** The text behind the name that the parser stands at. */
    String nextText() throws IOException, InvalidEventException {
        if (parser.nextToken() != JsonToken.VALUE_STRING) {
            throw wrong("text");
        }
        return parser.getText();
    }

    /** Finds the text of a field of the outermost object wherever it stands, without moving on; null if it is absent. */
    @Nullable
    String lookAhead(String field) throws IOException, InvalidEventException {
        try (JsonSource ahead = new JsonSource(text)) {
            JsonParser p = ahead.parser;
            p.nextToken();
            for (String name = p.nextFieldName(); name != null; name = p.nextFieldName()) {
                if (name.equals(field)) {
                    return ahead.nextText();
                }
                p.nextToken();
                p.skipChildren();
            }
            return null;
        }
    }

    /** What is wrong with the value that the parser stands at. */
    InvalidEventException wrong(String allowed) throws IOException {
        return new InvalidEventException(path() + " is " + value() + ", but must be " + allowed);
    }

    InvalidEventException missing(String field, String allowed) {
        String path = parser.getParsingContext().pathAsPointer().toString();
        return new InvalidEventException(
                shown((path + "/" + field).substring(1)) + " is missing, and must be " + allowed);
    }

    InvalidEventException repeated() {
        return new InvalidEventException(path() + " is there twice, but must be there once");
    }

    InvalidEventException tooMany() {
        String pointer = parser.getParsingContext().getParent().pathAsPointer().toString();
        return new InvalidEventException(shown(pointer.substring(1)) + " has more than " + MAX_ENTRIES
                + " entries, but must have at most " + MAX_ENTRIES);
    }

    static InvalidEventException malformed(JsonProcessingException e) {
        String what = e instanceof StreamConstraintsException ? "too large" : "not valid JSON";
        String why = e.getOriginalMessage().replaceAll(", from `[^`]*`", "");
        String where =
                e.getLocation() == null ? "" : " (column " + e.getLocation().getColumnNr() + ")";
        return new InvalidEventException(what + ": " + shown(why, 4 * SHOWN_CHARACTERS) + where);
    }

    private String path() {
        String pointer = parser.getParsingContext().pathAsPointer().toString();
        return pointer.isEmpty() ? "the line" : shown(pointer.substring(1));
    }

    private String value() throws IOException {
        JsonToken token = parser.currentToken();
        if (token == null) {
            return "empty";
        }
        return switch (token) {
            case START_OBJECT -> "an object";
            case START_ARRAY -> "an array";
            case VALUE_STRING -> '"' + shown(parser.getText()) + '"';
            default -> shown(parser.getText());
        };
    }

    private static String shown(String text) {
        return shown(text, SHOWN_CHARACTERS);
    }

    /** On one line and short, whatever it holds. */
    static String shown(String text, int characters) {
        StringBuilder shown = new StringBuilder(Math.min(text.length(), characters) + 3);
        for (int i = 0; i < Math.min(text.length(), characters); i++) {
            char c = text.charAt(i);
            boolean printable = !Character.isISOControl(c)
                    && Character.getType(c) != Character.FORMAT
                    && c != '\u2028'
                    && c != '\u2029';
            shown.append(printable ? c : '\ufffd');
        }
        return text.length() > characters ? shown.append("...").toString() : shown.toString();
    }

    @Override
    public void close() throws IOException {
        parser.close();
    }
}
