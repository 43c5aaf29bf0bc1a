"""Texts that people read as the same have the same folded form."""

import pytest

from storage.engine.folding import folded

SAME = (
    ("café", "CAFE\u0301"),
    ("straße", "STRASSE"),
    ("İstanbul", "istanbul"),
    ("ısparta", "ISPARTA"),
    ("Łódź", "lodz"),
    ("Ａna 𝐋𝐞𝐞", "ana lee"),
    ("ﬁn", "FIN"),
    ("ὈΔΥΣΣΕΎΣ", "οδυσσευς"),
    ("ёлка", "ЕЛКА"),
    ("ｶﾞ", "ガ"),
    ("\u1112\u1161\u11ab", "한"),
    ("soft\u00adhy\u200bphen", "softhyphen"),
    ("\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd", "שלום"),
    ("❤\ufe0f", "❤"),
)
DIFFERENT = (("мой", "мои"), ("か", "が"), ("कि", "क"), ("ana", "аna"), ("o", "0"))


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_spellings_of_a_text_are_equal(one, other):
    assert folded(one) == folded(other) == folded(folded(one))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_letters_stay_different(one, other):
    assert folded(one) != folded(other)
