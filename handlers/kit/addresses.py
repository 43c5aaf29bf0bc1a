"""Email addresses: one canonical form, in which they are stored, compared and mailed to.

People type the same address in many ways: in capitals, in full width, with a host in their own
script. The canonical form is in ASCII and lower case, so mail goes exactly to the address that was
looked up. A local part that is not ASCII after compatibility mapping is refused: another mailbox
could look the same.
"""

import re
import unicodedata

import idna

LENGTH_MAX = 254
LOCAL_MAX = 64
HOST_MAX = LENGTH_MAX - 2
# A dot-atom, `@` and a host name, in ASCII (RFC 5321), without `?`: mail headers read `=?…?=` as
# an encoded word, which could hide another recipient.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_TOP_LABEL = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"({_LABEL}\.)+{_TOP_LABEL}")


def canonical_address(text: str) -> str:
    """The canonical form of an address; raises ValueError if it is not one."""
    local, _, host = unicodedata.normalize("NFKC", text.strip()).rpartition("@")
    if len(local) > LOCAL_MAX or not _LOCAL.fullmatch(local):
        raise ValueError("Expected an email address")
    address = f"{local.lower()}@{_host_name(host)}"
    if len(address) > LENGTH_MAX:
        raise ValueError("Expected an email address")
    return address


def _host_name(host: str) -> str:
    """A host name in ASCII; names in other scripts are converted (UTS #46, RFC 5891)."""
    name = host.lower()
    if not host.isascii() and len(host) <= HOST_MAX:
        try:
            name = idna.encode(host, uts46=True).decode()
        except idna.IDNAError:
            name = ""
    if not _HOST.fullmatch(name):
        raise ValueError("Expected an email address")
    return name
