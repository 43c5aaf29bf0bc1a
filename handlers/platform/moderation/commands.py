"""The commands of /moderation."""

from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.kit.cost import Cost
from handlers.platform.chat.contracts.media import MediaLinks
from handlers.platform.moderation import MODERATOR, moderation
from handlers.platform.moderation.contracts import (
    AuditPage,
    CaseView,
    DecideCase,
    FlagMessage,
    GetCase,
    ListAudit,
    ListQueue,
    OpenedCase,
    OwnMessage,
    QueuePage,
    UndoDecision,
)
from handlers.platform.moderation.service import cases, decisions, flags, records
from handlers.platform.uploads import public as uploads

PAGE = Cost(reads=250, answer_kib=1_300)
DECISION = Cost(reads=1_200)
"""A decision locks up to 1,000 cases of one message."""


@moderation.command(rate="messages", refuses=(OwnMessage,))
async def flag(ctx: Context, ask: FlagMessage) -> Empty:
    """Flag a message for the moderators; flagging it again changes nothing."""
    return await ctx.transact(flags.flag, ask)


@moderation.command(roles=(MODERATOR,), costs=PAGE)
async def queue(ctx: Context, ask: ListQueue) -> QueuePage:
    """List the open cases, the oldest first."""
    return await ctx.read(cases.list_queue, ask)


@moderation.command(
    name="case", roles=(MODERATOR,), refuses=(OwnMessage,), costs=Cost(reads=250, answer_kib=256)
)
async def get_case(ctx: Context, ask: GetCase) -> OpenedCase:
    """Get a case with its message, without the rest of the conversation."""
    return await ctx.read(cases.get_case, ask.case_id)


@moderation.command(name="media", roles=(MODERATOR,), refuses=(OwnMessage,))
async def get_media(ctx: Context, ask: GetCase) -> MediaLinks:
    """Get download links for the file in a case's message."""
    upload_id = await ctx.read(cases.get_upload, ask.case_id)
    return MediaLinks(**(await uploads.links_of(ctx, upload_id))._asdict())


@moderation.command(roles=(MODERATOR,), refuses=(OwnMessage,), costs=DECISION)
async def decide(ctx: Context, ask: DecideCase) -> CaseView:
    """Decide a case: dismiss it, which shows the message, or hide the message."""
    return await ctx.transact(decisions.decide, ask)


@moderation.command(roles=(MODERATOR,), refuses=(OwnMessage,), costs=DECISION)
async def undo(ctx: Context, ask: UndoDecision) -> CaseView:
    """Undo a decision: this reopens the case and restores the message's earlier state."""
    return await ctx.transact(decisions.undo, ask)


@moderation.command(roles=(MODERATOR,), costs=PAGE)
async def audit(ctx: Context, ask: ListAudit) -> AuditPage:
    """List the actions of moderators, the operator and the server, the newest first."""
    return await ctx.read(records.list_audit, ask)
