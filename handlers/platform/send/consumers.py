"""Turns `SEND_NOTIFICATION` events into mails."""

from handlers.kit.context import Context
from handlers.kit.transaction import Transaction
from handlers.platform.send import send, service
from handlers.platform.send.contracts import DispatchDue, SendNotification
from handlers.platform.send.mail import MailRefused


@send.consumer(SendNotification)
def accept_for_sending(tx: Transaction, event: SendNotification) -> None:
    """Store a message and schedule its delivery."""
    service.accept(tx, event)


@send.consumer(DispatchDue, outbound=True)
async def send_the_mail(ctx: Context, event: DispatchDue) -> None:
    """Hand a mail to the mail server, at least once, with the dispatch id as its Message-ID."""
    content = await ctx.read(service.get_content, event.dispatch_id)
    if content is None:
        return
    refused = None
    try:
        await ctx.kernel.mailer.send(content)
    except MailRefused as error:
        refused = error
    await ctx.transact(service.record, event, refused)
