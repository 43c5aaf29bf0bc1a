"""Texts in the form in which people compare them.

Two texts that people read as the same have the same folded form: composed or decomposed, in
capitals, full width or bold, with accents or without. Marks that make another letter stay: the
voiced kana, the short i of Cyrillic, the vowels of Indic scripts. Folding takes time linear in the
length of the text.
"""

import re
import unicodedata

MARKS_MAX = 30
"""The maximum number of combining marks in a row, which Unicode normalization sorts in quadratic
time. No language needs more (Stream-Safe Text Format, UAX #15)."""
MARKS_END = 0x20000
"""From here on there are ideographs, tags and variation selectors, which are not sorted."""
LIGATURES = str.maketrans("\ufdfa\ufdfb", "  ")
"""Single characters that would expand to whole sentences."""


def _is_sorted(one: str) -> bool:
    """Whether normalization turns `one` into a combining mark, which it sorts among others."""
    if unicodedata.combining(one):
        return True
    decomposition = unicodedata.decomposition(one)
    return bool(decomposition and unicodedata.combining(unicodedata.normalize("NFKD", one)[0]))


_SORTED = "[" + "".join(filter(_is_sorted, map(chr, range(0x300, MARKS_END)))) + "]"
_EXCESS_MARKS = re.compile(f"(?<={_SORTED}{{{MARKS_MAX}}}){_SORTED}+")
_ACCENTS = re.compile(
    "(?<!\u0438)\u0306|[\u0300-\u0305\u0307-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
    "\ufe20-\ufe2f"
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]"
)
"""Accents, and the points and vowel signs that Hebrew and Arabic usually omit. A breve stays on the
Cyrillic letter `и`, because `й` is another letter."""
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0100-\U000e01ef]"
)
"""Characters without a glyph of their own; the joiner of emoji sequences is not one of them."""
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
"""Letters that people without them on the keyboard replace, and that have no decomposition."""


def folded(text: str) -> str:
    """The form of `text` that is equal for all texts that people read as the same."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKD", without_excess(_UNSEEN.sub("", text))).casefold()
    text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFC", text.translate(_LETTERS))


def without_excess(text: str) -> str:
    """`text` without combining marks beyond `MARKS_MAX` in a row, and without ligatures of whole
    sentences, so that Unicode normalization takes linear time."""
    return _EXCESS_MARKS.sub("", text.translate(LIGATURES))
