"""Statistics of a text: words, sentences, the most frequent words, how easy it is to read."""

import re
from collections import Counter
from typing import Any

import zerog

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
SENTENCE_END = re.compile(r"[.!?]+(?:\s|$)")
VOWELS = re.compile(r"[aeiouyäöü]+", re.IGNORECASE)
LINES_PER_STEP = 200


class WordStatistics(zerog.Job):
    """Count the words of a text and say how easy it is to read."""

    text: str
    top: int = 10

    def run(self, ctx: zerog.Context) -> dict[str, Any]:
        lines = self.text.splitlines()
        steps = [lines[at : at + LINES_PER_STEP] for at in range(0, len(lines), LINES_PER_STEP)]
        words: Counter[str] = Counter()
        syllables = 0
        for step in ctx.track(steps):
            for word in WORD.findall("\n".join(step)):
                words[word.lower()] += 1
                syllables += max(1, len(VOWELS.findall(word)))
        total = words.total()
        sentences = max(1, len(SENTENCE_END.findall(self.text)))
        ctx.info(f"{total} words in {len(lines)} lines")
        return {
            "words": total,
            "different": len(words),
            "sentences": sentences,
            "top": words.most_common(self.top),
            "readingEase": _reading_ease(total, sentences, syllables),
        }


def _reading_ease(words: int, sentences: int, syllables: int) -> float | None:
    """Flesch's reading ease (1948): 90 is very easy, 30 very hard. None without words."""
    if words == 0:
        return None
    return round(206.835 - 1.015 * words / sentences - 84.6 * syllables / words, 1)
