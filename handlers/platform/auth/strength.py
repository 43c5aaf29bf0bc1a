"""Rejects weak passwords: short ones, common ones, and those made of the user's own data.

There are no composition rules (OWASP ASVS 5.0, 6.2; NIST SP 800-63B, 3.1.1.2).
"""

import re
from importlib.util import find_spec
from pathlib import Path

from handlers.kit.rules import Rules
from handlers.platform.auth.contracts import PasswordWeak
from handlers.platform.auth.passwords import composed
from handlers.platform.auth.rules import AuthRules
from storage.engine.folding import folded

OWN_LIST = Path(__file__).parent / "common_passwords.txt"
LISTED_MIN = 10_000
_LISTED = re.compile(r'"passwords": "([^"]+)"')


def _read_common() -> str:
    """The passwords of zxcvbn and of `OWN_LIST`, in lower case, one on each line.

    Importing all lists of zxcvbn would take 14 MB, so this reads only its list of passwords. A
    single text is searched in microseconds and takes a tenth of the memory of a set.
    """
    package = find_spec("zxcvbn")
    assert package is not None
    assert package.origin is not None
    lists = Path(package.origin).with_name("frequency_lists.py").read_text()
    found = _LISTED.search(lists)
    words = found[1].lower().split(",") if found else []
    if len(words) < LISTED_MIN:
        raise RuntimeError("zxcvbn has moved its list of passwords")
    return "\n".join(["", *words, *OWN_LIST.read_text().lower().split(), ""])


_COMMON = _read_common()
SERVICE = "parley"
WORD_MIN = 3
"""Shorter words occur in too many passwords to make one personal."""
DIFFERENT_MIN = 3
SUFFIX = re.compile(r"[\d\W_]{1,4}$")
SEPARATORS = re.compile(r"[\W_]+")


def check_strength(password: str, rules: Rules, *about: str) -> None:
    """Raises PasswordWeak for a short, common or personal password.

    `about` is the user's own data: address and names.
    """
    length_min = rules.of(AuthRules).password_length_min
    if len(composed(password)) < length_min:
        raise PasswordWeak(details={"length_min": length_min})
    plain = folded(password)
    if len(set(plain)) < DIFFERENT_MIN or _is_common(plain) or _is_common(SUFFIX.sub("", plain)):
        raise PasswordWeak(details={"reason": "common"})
    if _is_made_of(plain, _words_in(SERVICE, *about)):
        raise PasswordWeak(details={"reason": "personal"})


def _is_common(plain: str) -> bool:
    return bool(plain) and "\n" not in plain and f"\n{plain}\n" in _COMMON


def _words_in(*texts: str) -> set[str]:
    """The texts and their parts of at least `WORD_MIN` characters, folded."""
    parts = {part for text in map(folded, texts) for part in (text, *SEPARATORS.split(text))}
    return {part for part in parts if len(part) >= WORD_MIN}


def _is_made_of(plain: str, words: set[str]) -> bool:
    """Whether at most four digits remain when these words are removed from the password."""
    rest = plain
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, " ")
    left = SEPARATORS.sub("", rest)
    return rest != plain and (not left or (left.isdigit() and len(left) <= 4))
