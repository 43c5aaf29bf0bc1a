"""What people bring: signed on its way, checked when it is there, fetched by who may."""

from handlers.kit.domain import Domain

uploads = Domain("uploads")
