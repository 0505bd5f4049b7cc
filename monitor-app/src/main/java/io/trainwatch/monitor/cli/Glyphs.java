package io.trainwatch.monitor.cli;

import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;

/** What a terminal can show: a cell of a drawing has {@code across} times {@code down} dots. */
enum Glyphs {
    /** Braille patterns and box drawing. */
    UNICODE(2, 4, '\u25CB', '\u2524', '\u2502', '\u2514', '\u2500') {
        @Override
        char cell(boolean[][] dots, int column, int row) {
            int pattern = 0;
            for (int i = 0; i < BRAILLE.length; i++) {
                pattern |= dots[2 * column + i / 4][4 * row + i % 4] ? BRAILLE[i] : 0;
            }
            return pattern == 0 ? ' ' : (char) ('\u2800' + pattern);
        }
    },
    /** What every terminal has. */
    ASCII(1, 2, 'o', '+', '|', '+', '-') {
        @Override
        char cell(boolean[][] dots, int column, int row) {
            boolean upper = dots[column][2 * row];
            boolean lower = dots[column][2 * row + 1];
            return upper ? lower ? ':' : '\'' : lower ? '.' : ' ';
        }
    };

    /** Bits of a braille pattern: the left dots from above, then the right ones. */
    private static final int[] BRAILLE = {0x01, 0x02, 0x04, 0x40, 0x08, 0x10, 0x20, 0x80};

    final int across;
    final int down;
    final char point;
    final char tick;
    final char side;
    final char corner;
    final char floor;

    Glyphs(int across, int down, char point, char tick, char side, char corner, char floor) {
        this.across = across;
        this.down = down;
        this.point = point;
        this.tick = tick;
        this.side = side;
        this.corner = corner;
        this.floor = floor;
    }

    /** The character that shows the dots of one cell, which are given by column and row of the whole drawing. */
    abstract char cell(boolean[][] dots, int column, int row);

    /** What the terminal that this program writes to can show, as far as its character set tells. */
    static Glyphs ofTerminal() {
        // stdout.encoding is there from Java 19 on.
        String charset = System.getProperty("stdout.encoding", System.getProperty("native.encoding", ""));
        return Charset.defaultCharset().equals(StandardCharsets.UTF_8)
                        && charset.equalsIgnoreCase(StandardCharsets.UTF_8.name())
                ? UNICODE
                : ASCII;
    }
}
