"""Who has blocked whom. Not what a block closes: each domain decides that for itself."""

from handlers.kit.domain import Domain

blocking = Domain("blocking")
