"""The emoji that Unicode recommends, from the data of the package `emoji`.

Python's own tables are older: 3.11 does not know the emoji of 2022 and later. A new version of the
package brings those of a new Unicode version.
"""

from emoji import EMOJI_DATA, STATUS

SELECTOR = "\ufe0f"
"""Shows the character before it as a picture. Many keyboards leave it out."""
_FULL_FORMS = {
    one.replace(SELECTOR, ""): one
    for one, about in EMOJI_DATA.items()
    if about["status"] == STATUS["fully_qualified"]
}


def full_form(text: str) -> str | None:
    """The fully-qualified form of one emoji (UTS #51, ED-18); None if `text` is not an emoji."""
    return _FULL_FORMS.get(text.replace(SELECTOR, ""))
