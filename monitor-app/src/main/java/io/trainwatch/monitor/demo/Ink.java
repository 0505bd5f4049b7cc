package io.trainwatch.monitor.demo;

/** Colours for a terminal, or none. */
public enum Ink {
    PLAIN {
        @Override
        String in(String code, String text) {
            return text;
        }
    },
    ANSI {
        @Override
        String in(String code, String text) {
            return "\u001b[" + code + "m" + text + "\u001b[0m";
        }
    };

    abstract String in(String code, String text);

    String bold(String text) {
        return in("1", text);
    }

    String faint(String text) {
        return in("2", text);
    }

    String good(String text) {
        return in("32", text);
    }

    String warning(String text) {
        return in("33", text);
    }

    String bad(String text) {
        return in("31", text);
    }
}
