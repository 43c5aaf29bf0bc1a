"""What a page that somebody linked says of itself. Only public pages, and never their pictures."""

from handlers.kit.domain import Domain

previews = Domain("previews")
