"""Keys derived from the server's single secret, and what they encrypt or fingerprint."""

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Keys:
    """One key for each purpose, so that no key can be used in place of another."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self.tokens = self._derive("access tokens")
        self._prints = self._derive("fingerprints")
        self._seal = Fernet(base64.urlsafe_b64encode(self._derive("sealed data")))

    def seal(self, text: str) -> str:
        """Encrypt `text`; only this server's secret can decrypt it."""
        return self._seal.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        return self._seal.decrypt(sealed.encode()).decode()

    def fingerprint(self, *parts: str) -> str:
        """A keyed hash of `parts`. Short secrets (pincodes) cannot be guessed from it.

        Different lists of parts never give the same message: NUL separates them, and a NUL inside a
        part is replaced with a byte that UTF-8 never contains.
        """
        encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
        message = b"\0".join(part.replace(b"\0", b"\xff") for part in encoded)
        return hmac.new(self._prints, message, hashlib.sha256).hexdigest()

    def _derive(self, purpose: str) -> bytes:
        return HKDF(SHA256(), 32, salt=None, info=b"parley " + purpose.encode()).derive(
            self._secret
        )
