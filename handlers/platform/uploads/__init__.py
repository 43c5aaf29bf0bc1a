"""Uploaded files: signed upload requests, checks of content, and authorized downloads."""

from handlers.kit.domain import Domain
from handlers.kit.rates import Rate
from handlers.platform.uploads.rules import UploadRules

FILES = Rate("files", "file requests", burst=200, per_s=50, of="address")
uploads = Domain("uploads", rates=(FILES,), rules=UploadRules)
