"""Events and timers are stored under the name of their system too.

A second system may then have an event of a name that is taken already.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

NAMES = {
    "consulting": """
        AVAILABILITY_BLOCK_AVAILABLE
        AVAILABILITY_BLOCK_FULL
        AVAILABILITY_UPDATED
        AVAILABLE_NOW_STATUS_CHANGED
        BOOKING_APPROVED
        BOOKING_BLOCK_END_DUE
        BOOKING_CANCELLED
        BOOKING_COMPLETED
        BOOKING_CREATED
        BOOKING_EXPIRED
        BOOKING_HOLD_DUE
        BOOKING_REJECTED
        BOOKING_REQUESTED
        BOOKING_RESCHEDULED
        CALL_DUE
        CALL_DURATION_RECORDED
        CALL_ENDED
        CALL_INITIATED
        CALL_INTERRUPTED
        CALL_MORE_STAYS_LEFT
        CALL_RESUMED
        CALL_STARTED
        CHAT_BOOKING_REQUESTED
        CONSULTANT_DEACTIVATED
        CONSULTANT_ONBOARDED
        CONSULTANT_PROFILE_UPDATED
        DEFAULT_SCHEDULE_SET
        OFFER_DUE
        PLACES_WITHDRAWN
        SCHEDULE_TOP_UP_DUE
        TOPIC_ADDED
        TOPIC_REMOVED
        TOPIC_UPDATED
        WAITING_LIST_OFFERED
        WAITING_LIST_OFFER_EXPIRED
        WAITING_MORE_PLACES_LEFT
        WAITING_PLACE_DUE
        WAITING_ROOM_CLOSE_DUE
        WAITING_ROOM_ENTERED
        WAITING_ROOM_LEFT
        WAITING_ROOM_MOVED
        WEEKLY_SCHEDULE_UPDATED
    """,
    "kernel": """
        INSTANCE_LOST
        ROLES_CHANGED
        SESSION_ENDED
    """,
    "platform": """
        ACCOUNT_DELETED
        ACCOUNT_DELETION_CANCELLED
        ACCOUNT_DELETION_DUE
        ACCOUNT_DELETION_PLANNED
        AUTH_FAILURE
        AUTH_METHOD_ADDED
        AUTH_METHOD_REMOVED
        AUTH_SUCCESS
        CASE_CHANGED
        CASE_OPENED
        CONVERSATION_ADJUSTED
        CONVERSATION_CHANGED
        CONVERSATION_OPENED
        CONVERSATION_READ
        DELIVERY_FAILED
        DELIVERY_SUCCEEDED
        DISPATCH_DUE
        EMAIL_CHANGED
        ERASURE_GOES_ON
        EXPORT_DROPPED
        EXPORT_DUE
        EXPORT_PROGRESSED
        EXPORT_READY
        EXPORT_REQUESTED
        FLAG_ANSWERED
        MARK_DUE
        MEDIA_SHARED
        MEMBER_ADDED
        MEMBER_REMOVED
        MESSAGE_DELETED
        MESSAGE_DELIVERED
        MESSAGE_EDITED
        MESSAGE_HIDDEN
        MESSAGE_MENTIONED
        MESSAGE_NOTICED
        MESSAGE_PINNED
        MESSAGE_PREVIEWED
        MESSAGE_REACTED
        MESSAGE_READ
        MESSAGE_REMOVED
        MESSAGE_RESTORED
        MESSAGE_SENT
        MODERATOR_ADDED
        MODERATOR_REMOVED
        NEW_PASSWORD_SET
        NOTIFICATION_DISPATCHED
        NOTIFICATION_READ
        OAUTH_LINKED
        OBJECTS_DROPPED
        PERSON_BLOCKED
        PINCODES_GUESSED
        PRESENCE_INSTANCE_GONE
        RETRY_SCHEDULED
        SEND_NOTIFICATION
        SESSION_DUE
        SIGN_INS_FAILED
        UPLOAD_COMPLETED
        UPLOAD_DUE
        USER_CREATED
        USER_OFFLINE
        USER_ONLINE
        USER_UPDATED
        WITHDRAWAL_GOES_ON
    """,
}


def upgrade() -> None:
    for table in ("events", "timers"):
        rows = sa.table(table, sa.column("name", sa.String))
        for system, names in NAMES.items():
            renamed = sa.update(rows).where(rows.c.name.in_(names.split()))
            op.execute(renamed.values(name=sa.literal(f"{system}.") + rows.c.name))
