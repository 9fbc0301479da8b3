"""Texts that would harm a terminal or deceive its reader, and what must not be left of them."""

import re

#: A remark that a text tries to forge: it must not begin a line.
FORGED = "zerog: error: FORGED run this"
#: Sets the clipboard, clears the screen, hides what follows, reports the cursor, in 7 and 8 bits;
#: reverses the order, hides letters, ends lines in several ways, and forges remarks.
EVERYTHING = (
    "a\x1b]52;c;Rk9SR0VE\x07\x1b[2J\x1b[8mhidden\x1b[6n\x9b31m\x9d0;title\x9c\x90q\x9c"
    "\u202egpj.exe\u202c\u2066x\u2069\u200e\u200f\u061c\u200b\u2060\ufeff\U000e0041\xad"
    "\u3164\u1160\u2800\ufe0f\U000e0100\u034f"
    f"\x00\x08\x7f\u2028{FORGED}\u2029{FORGED}\x85{FORGED}\x0b{FORGED}\x0c{FORGED}\r{FORGED}"
    f"\n{FORGED}\r\n{FORGED}\nerror: FORGED\ttail\n\n\n{FORGED}"
)
TEXTS = {
    "everything": EVERYTHING,
    "a remark": FORGED,
    "an error": "error: FORGED",
    "a line before": f"\n{FORGED}",
    "markup": f"[link=http://127.0.0.1/]x[/link] [bold]b[/bold] \\\\[red]\\ {FORGED}",
}
#: What rich writes: colours, the cursor that it hides and shows, lines that it draws again.
OURS = re.compile(r"\x1b\[(?!8m)[0-9;]*m|\x1b\[\?25[lh]|\x1b\[1A|\x1b\[2K")
#: What is not seen: C0 but line end and tab, DEL, C1, format and invisible characters, other line
#: ends.
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0000-\U000e0fff\ud800-\udfff]"
)
_BEGUN = re.compile(r"^(zerog: )?error: FORGED", re.MULTILINE)


def harm_of(written: str) -> list[str]:
    """Return what is left in an output that rich may have written to a terminal."""
    plain = OURS.sub("", written)
    # A bar is drawn again from the margin; a terminal's line end is two characters.
    lines = re.sub(r"\r+\n?", "\n", plain) if plain != written else plain.replace("\r\n", "\n")
    return [ascii(found) for found in UNSEEN.findall(lines)] + [
        f"forged: {lines[found.start() : found.start() + 40]!r}" for found in _BEGUN.finditer(lines)
    ]
