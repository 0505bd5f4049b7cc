package io.trainwatch.monitor.notify;

/** Text from trainers on its way to people: one line, bounded, and nothing in it that moves or reorders other text. */
final class PlainText {
    private PlainText() {}

    /**
     * The text as one line.
     *
     * @param longest UTF-16 units that it may have, at least 1; what is longer ends in {@code …}
     */
    static String line(CharSequence text, int longest) {
        StringBuilder line = new StringBuilder(Math.min(text.length(), longest) + 1);
        boolean gap = false;
        for (int at = 0; at < text.length() && line.length() <= longest; ) {
            int c = Character.codePointAt(text, at);
            at += Character.charCount(c);
            if (Character.isWhitespace(c) || Character.isISOControl(c) || Character.isSpaceChar(c)) {
                gap = line.length() > 0;
            } else {
                if (gap) {
                    line.append(' ');
                    gap = false;
                }
                // Format characters turn the direction of what follows, or hide in it; lone surrogates are no text.
                int type = Character.getType(c);
                line.appendCodePoint(type == Character.FORMAT || type == Character.SURROGATE ? '\uFFFD' : c);
            }
        }
        return cut(line.toString(), longest);
    }

    /** The text, its end replaced by {@code …} where it is too long; no character is cut in two. */
    static String cut(String text, int longest) {
        if (text.length() <= longest) {
            return text;
        }
        int end = longest - 1;
        if (end > 0 && Character.isHighSurrogate(text.charAt(end - 1))) {
            end--;
        }
        return text.substring(0, end) + "…";
    }
}
