"""What people bring: signed on its way, checked when it is there, fetched by who may."""

from handlers.kit.domain import Domain
from handlers.kit.rates import Rate
from handlers.platform.uploads.rules import UploadRules

FILES = Rate("files", "requests for files", burst=200, per_s=50, of="address")
uploads = Domain("uploads", rates=(FILES,), rules=UploadRules)
