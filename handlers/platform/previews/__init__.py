"""What a page that somebody linked says of itself. Only public pages, and never their pictures."""

from handlers.kit.command import Domain

previews = Domain("previews")
