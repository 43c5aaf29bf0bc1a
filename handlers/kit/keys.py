"""Keys derived from the server's one secret, and what is sealed or fingerprinted with them."""

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Keys:
    """One key a purpose, so that none can stand in for another."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self.tokens = self._derive("access tokens")
        self._prints = self._derive("fingerprints")
        self._seal = Fernet(base64.urlsafe_b64encode(self._derive("sealed data")))

    def seal(self, text: str) -> str:
        """`text` so that only this server's secret opens it."""
        return self._seal.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        return self._seal.decrypt(sealed.encode()).decode()

    def fingerprint(self, *parts: str) -> str:
        """A keyed hash of `parts`: short secrets (pincodes) cannot be guessed from it.

        No two lists of parts make the same message: NUL separates them, and inside a part stands
        as a byte that UTF-8 never has.
        """
        encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
        message = b"\0".join(part.replace(b"\0", b"\xff") for part in encoded)
        return hmac.new(self._prints, message, hashlib.sha256).hexdigest()

    def _derive(self, purpose: str) -> bytes:
        return HKDF(SHA256(), 32, salt=None, info=b"parley " + purpose.encode()).derive(
            self._secret
        )
