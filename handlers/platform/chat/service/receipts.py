"""Read and delivery receipts of a message, for its sender.

Senders see receipts only while they share their own.
"""

from handlers.kit.errors import NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.marks import GetReceipts, Receipt, ReceiptsOff, ReceiptsView
from handlers.platform.chat.service.history import get_readable
from handlers.platform.chat.service.members import check_member
from handlers.platform.profile import public as profiles
from storage.platform.chat import marks as chat_marks
from storage.platform.chat import members as chat_members


def get_receipts(tx: Transaction, ask: GetReceipts) -> ReceiptsView:
    """The receipts of users who are members now and were when the message was sent.

    A mark of a member who joined later does not mean that they received the message. Raises
    NotFound, also for messages of others, or ReceiptsOff.
    """
    message = get_readable(tx, ask.message_id)
    if message.sender_id != tx.actor.id:
        raise NotFound
    check_member(tx, message.conversation_id)
    if not profiles.get_user(tx, tx.actor.id).settings.read_receipts:
        raise ReceiptsOff
    members = chat_members.list_members(tx, [message.conversation_id])
    then = chat_members.list_present(tx, message.conversation_id, message.seq)
    here = {member.user_id for member in members} & then - {tx.actor.id}
    receipts: dict[str, list[Receipt]] = {"read": [], "delivered": []}
    for one in chat_marks.list_reached(tx, message.conversation_id, message.seq):
        if one.user_id in here:
            receipts[one.kind].append(Receipt(one.user_id, one.at))
    return ReceiptsView(read=receipts["read"], delivered=receipts["delivered"])
