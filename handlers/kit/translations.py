"""The messages of a domain in every language: gettext files, read once.

A domain has one `messages/<language>.po` for each language. A `msgid` is a name such as
`booking_approved.body`; the text has placeholders as in `{starts_at}`. A message with plural forms
is chosen by the value `count`. What is marked `fuzzy` counts as missing.
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
    """One file: as it is written, and compiled."""

    catalog: Catalog
    compiled: gettext.GNUTranslations


class Translations:
    """The messages of one domain; none until they are read."""

    def __init__(self) -> None:
        self.languages: dict[str, Language] = {}

    def read(self, folder: Path) -> None:
        """Take every `<language>.po` of `folder`; raises ValueError for one that is malformed."""
        for file in sorted(folder.glob("*.po")):
            self.languages[file.stem] = _read(file)

    def say(self, name: str, reader: Reader, values: Values) -> str:
        """The message `name` in the reader's language, or in English where there is none.

        Raises KeyError for a message that is missing, and for a placeholder without a value.
        """
        return PARAGRAPH.join(self.paragraphs(name, reader, values))

    def paragraphs(self, name: str, reader: Reader, values: Values) -> list[str]:
        """The same, one line each: they are told apart before the values come in."""
        language = self.nearest(reader.language)
        reader = msgspec.structs.replace(reader, language=language)
        words = {name: in_words(value, reader) for name, value in values.items()}
        pattern = self._find(name, language, values.get(COUNT))
        return [one.format_map(words) for one in pattern.split(PARAGRAPH)]

    def nearest(self, language: str) -> str:
        """This language, or English where there are no messages in it."""
        return language if language in self.languages else FALLBACK

    def _find(self, name: str, language: str, count: Value | None) -> str:
        compiled = self.languages[language].compiled
        if isinstance(count, int) and (found := compiled.ngettext(name, name, count)) != name:
            return found
        found = compiled.gettext(name)
        if found == name:
            raise KeyError(f"no message {name} in {language}")
        return found


def placeholders_in(pattern: str) -> set[str]:
    """Names of the placeholders of a text; raises ValueError for any that is not just a name."""
    found = set()
    for _, name, form, conversion in Formatter().parse(pattern):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError(f"{{{name}}} is no name")
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
