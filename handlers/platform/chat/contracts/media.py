"""Requests and views of the download links of files in messages."""

from typing import Annotated

from msgspec import Meta

from handlers.kit.contract import Id, Request, View


class ListMediaLinks(Request):
    """`message_ids` are up to fifty messages, of any conversations."""

    message_ids: Annotated[list[Id], Meta(min_length=1, max_length=50)]


class MediaLinks(View):
    """Download links that work for `expires_in_s` seconds."""

    url: str
    thumbnail_url: str | None
    expires_in_s: int


class LinkedMedia(MediaLinks):
    """The links of one message's file."""

    message_id: str


class LinksView(View):
    """The links of the messages that have a file and that you can read; others are left out."""

    media: list[LinkedMedia]
