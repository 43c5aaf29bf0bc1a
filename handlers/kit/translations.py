"""The messages of a domain in every language, from gettext files.

A domain has one `messages/<language>.po` for each language. A `msgid` is an id such as
`booking_approved.body`; the text has placeholders such as `{starts_at}`. The value `count` selects
the plural form. A message that is marked `fuzzy` counts as missing.
"""

import gettext
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from string import Formatter

import msgspec
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from handlers.kit.wording import FALLBACK, Reader, Value, in_words

COUNT = "count"
PARAGRAPH = "\n\n"

Values = Mapping[str, Value]


@dataclass(frozen=True)
class Language:
    """One file, as parsed and as compiled."""

    catalog: Catalog
    compiled: gettext.GNUTranslations


class Translations:
    """The messages of one domain; empty until `read`."""

    def __init__(self) -> None:
        self.languages: dict[str, Language] = {}

    def read(self, folder: Path) -> None:
        """Load every `<language>.po` in `folder`; raises ValueError for a malformed file."""
        for file in sorted(folder.glob("*.po")):
            self.languages[file.stem] = _read(file)

    def say(self, name: str, reader: Reader, values: Values) -> str:
        """The message `name` in the reader's language, with its placeholders filled.

        Falls back to English if the domain has no messages in that language. Raises KeyError for a
        missing message or value.
        """
        return PARAGRAPH.join(self.paragraphs(name, reader, values))

    def paragraphs(self, name: str, reader: Reader, values: Values) -> list[str]:
        """The same as single lines. The text is split before values, which cannot add lines.

        A paragraph is left out if it has placeholders and all their values are empty.
        """
        language = self.nearest(reader.language)
        reader = msgspec.structs.replace(reader, language=language)
        words = {name: in_words(value, reader) for name, value in values.items()}
        pattern = self._find(name, language, values.get(COUNT))
        said = [one for one in pattern.split(PARAGRAPH) if _says_something(one, words)]
        return [one.format_map(words) for one in said]

    def nearest(self, language: str) -> str:
        """This language if the domain has messages in it, otherwise English."""
        return language if language in self.languages else FALLBACK

    def _find(self, name: str, language: str, count: Value | None) -> str:
        compiled = self.languages[language].compiled
        if isinstance(count, int) and (found := compiled.ngettext(name, name, count)) != name:
            return found
        found = compiled.gettext(name)
        if found == name:
            raise KeyError(f"{language} has no message {name}")
        return found


def _says_something(paragraph: str, words: Mapping[str, str]) -> bool:
    names = placeholders_in(paragraph)
    return not names or any(words[name] for name in names)


def placeholders_in(pattern: str) -> set[str]:
    """The names of the placeholders in a text; raises ValueError for formats and expressions."""
    found = set()
    for _, name, form, conversion in Formatter().parse(pattern):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError(f"{{{name}}} is not a valid name")
        found.add(name)
    return found


@cache  # files do not change while a process runs, and tests make many servers in one
def _read(file: Path) -> Language:
    with file.open("rb") as source:
        catalog = read_po(source, locale=file.stem, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Language(catalog, gettext.GNUTranslations(compiled))
