"""Which facts are told to whom, and in what words."""

from datetime import datetime

from handlers.account.contracts import EmailChanged
from handlers.auth.contracts import (
    AuthMethodAdded,
    AuthMethodRemoved,
    AuthSuccess,
    NewPasswordSet,
    SignInsFailed,
)
from handlers.availability.contracts import WaitingListOffered, WaitingListOfferExpired
from handlers.booking.contracts import (
    AboutBooking,
    BookingApproved,
    BookingCancelled,
    BookingExpired,
    BookingRejected,
    BookingRequested,
    BookingRescheduled,
    BookingView,
)
from handlers.call.contracts import CallDurationRecorded, CallInitiated
from handlers.chat.contracts.messages import MessageMentioned
from handlers.consultants.contracts import ConsultantOnboarded
from handlers.kit.context import Transaction
from handlers.kit.life import SessionEnded
from handlers.kit.visible import quoted
from handlers.moderation.contracts import FlagAnswered
from handlers.notifications import devices, notifications
from handlers.notifications.service import Notice, note_mail, tell
from handlers.personal_data.contracts import (
    AccountDeletionCancelled,
    AccountDeletionPlanned,
    ExportReady,
)
from handlers.pincodes.contracts import PincodesGuessed
from handlers.profile import public as profiles
from handlers.profile.contracts import UserCreated
from handlers.send.contracts import DeliveryFailed, DeliverySucceeded
from storage.events import wipe_event

IF_NOT_YOU = "If this wasn't you, reset your password and sign out your other sessions."
Somewhere = NewPasswordSet | AuthSuccess | AuthMethodAdded | AuthMethodRemoved | EmailChanged

NAME_MAX = 80
"""So much of a name is shown in a notification."""


@notifications.consumer(UserCreated)
def welcome(tx: Transaction, event: UserCreated) -> None:
    """A new user is welcome."""
    notice = Notice("welcome", "Welcome to Parley", "Your account is ready.", "/consultants")
    tell(tx, event.user.id, notice, {})


@notifications.consumer(NewPasswordSet)
def warn_of_the_password(tx: Transaction, event: NewPasswordSet) -> None:
    """A new password was set: its owner should know. The first one is part of signing up."""
    user = profiles.get_user(tx, event.user_id)
    if tx.cause is not None and user.created_at == tx.cause.at:
        return
    body = f"{_whence(tx, event)}. {IF_NOT_YOU}"
    notice = Notice("password_set", "Your password was set", body, "/forgot", mails=True)
    tell(tx, event.user_id, notice, {})


@notifications.consumer(SignInsFailed)
def warn_of_the_guesses(tx: Transaction, event: SignInsFailed) -> None:
    """Many wrong passwords were tried: the owner of the account, if there is one, should know."""
    if event.user_id is None:
        return
    title = f"Someone tried to sign in to your account {event.tries} times"
    body = (
        "None of the passwords was right. Further tries have to wait longer and longer; devices "
        "that you signed in from are not affected. If your password is short or used elsewhere, "
        "set another one."
    )
    if event.signed_in:
        title = f"Someone tried to guess your password {event.tries} times"
        body = f"It was done from a device that is signed in to your account. {IF_NOT_YOU}"
    notice = Notice("sign_ins_failed", title, body, "/profile", mails=True)
    tell(tx, event.user_id, notice, {"tries": event.tries})


@notifications.consumer(PincodesGuessed)
def warn_of_the_guessed_pincodes(tx: Transaction, event: PincodesGuessed) -> None:
    """Many wrong pincodes were tried: the owner of the address, if it has one, should know."""
    if tx.cause is not None:
        wipe_event(tx, tx.cause.id)
    user = profiles.find_user_by_email(tx, event.email)
    if user is None:
        return
    title = f"Someone tried to guess a pincode of yours {event.tries} times"
    body = (
        "None was right, and nothing was changed. Give the pincodes that we mail you to nobody. "
        "If you need one today, it has a single try: enter it with care."
    )
    notice = Notice("pincodes_guessed", title, body, "/profile", mails=True)
    tell(tx, user.id, notice, {"tries": event.tries})


@notifications.consumer(MessageMentioned)
def tell_the_mentioned(tx: Transaction, event: MessageMentioned) -> None:
    """A message names people: they hear where, and not what it says, which may be taken back."""
    link = f"/chats/{event.conversation_id}"
    notice = Notice("mentioned", "You were mentioned", "Somebody named you in a message.", link)
    data = {"conversation_id": event.conversation_id, "message_id": event.message_id}
    for user_id in event.user_ids:
        tell(tx, user_id, notice, {**data, "sender_id": event.sender_id})


@notifications.consumer(AuthSuccess)
def warn_of_the_new_device(tx: Transaction, event: AuthSuccess) -> None:
    """Somebody signed in from a device that is not known: its owner should know."""
    if not event.new_device:
        return
    body = f"{_whence(tx, event)}. {IF_NOT_YOU}"
    notice = Notice("new_device", "New sign-in to your account", body, "/profile", mails=True)
    tell(tx, event.user_id, notice, {"session_id": event.session_id})


@notifications.consumer(AuthMethodAdded, AuthMethodRemoved)
def tell_of_the_ways_in(tx: Transaction, event: AuthMethodAdded | AuthMethodRemoved) -> None:
    """A way to sign in came or went: its owner should know."""
    added = isinstance(event, AuthMethodAdded)
    title = "New way to sign in" if added else "A way to sign in was removed"
    kind = "method_added" if added else "method_removed"
    body = f"{event.method.capitalize()}. {_whence(tx, event)}. {IF_NOT_YOU}"
    notice = Notice(kind, title, body, "/profile", mails=True)
    tell(tx, event.user_id, notice, {"method": event.method})


@notifications.consumer(EmailChanged)
def tell_of_the_address(tx: Transaction, event: EmailChanged) -> None:
    """The account has another address; the old one gets a mail of its own."""
    body = f"{_whence(tx, event)}. {IF_NOT_YOU}"
    notice = Notice("email_changed", "Your address was changed", body, "/profile", mails=True)
    tell(tx, event.user_id, notice, {})


@notifications.consumer(SessionEnded)
def forget_the_device(tx: Transaction, event: SessionEnded) -> None:
    """Who signed out gets no more pushes there."""
    devices.forget_session(tx, event.session_id)


@notifications.consumer(ConsultantOnboarded)
def confirm_the_onboarding(tx: Transaction, event: ConsultantOnboarded) -> None:
    """A consultant is told what comes next."""
    body = "Add topics and set your week, so that students can book you."
    notice = Notice("consultant_onboarded", "You are a consultant", body, "/week")
    tell(tx, event.consultant.id, notice, {})


@notifications.consumer(BookingRequested)
def tell_of_the_request(tx: Transaction, event: BookingRequested) -> None:
    """The consultant has a request to answer."""
    booking = event.booking
    said = f"{_name(tx, booking.student_id)} asks for"
    title, named = "New request", booking.student_id
    _tell_about(tx, event, booking.consultant_id, title, said, named=named)


@notifications.consumer(BookingApproved)
def tell_of_the_approval(tx: Transaction, event: BookingApproved) -> None:
    """The student's request was approved."""
    booking = event.booking
    said = f"{_name(tx, booking.consultant_id)} approved your booking of"
    title, named = "Booking approved", booking.consultant_id
    _tell_about(tx, event, booking.student_id, title, said, mails=True, named=named)


@notifications.consumer(BookingRejected)
def tell_of_the_rejection(tx: Transaction, event: BookingRejected) -> None:
    """The student's request was rejected."""
    booking = event.booking
    said = f"{_name(tx, booking.consultant_id)} cannot take your booking of"
    title, named = "Booking rejected", booking.consultant_id
    _tell_about(tx, event, booking.student_id, title, said, mails=True, named=named)


@notifications.consumer(BookingCancelled)
def tell_of_the_cancellation(tx: Transaction, event: BookingCancelled) -> None:
    """Whoever did not call it off themselves is told."""
    for user_id in _others(tx, event.booking):
        said = "Called off: the booking of"
        _tell_about(tx, event, user_id, "Booking cancelled", said, mails=True)


@notifications.consumer(BookingRescheduled)
def tell_of_the_move(tx: Transaction, event: BookingRescheduled) -> None:
    """Both are told of the new time."""
    for user_id in (event.booking.student_id, event.booking.consultant_id):
        _tell_about(tx, event, user_id, "Booking moved", "The new time is", mails=True)


@notifications.consumer(BookingExpired)
def tell_of_the_expiry(tx: Transaction, event: BookingExpired) -> None:
    """Nobody answered the student."""
    said = "Nobody answered in time your request for"
    _tell_about(tx, event, event.booking.student_id, "Request expired", said)


@notifications.consumer(WaitingListOffered)
def tell_of_the_offer(tx: Transaction, event: WaitingListOffered) -> None:
    """A place is kept for the first on the list, until `expires_at`."""
    when = _when(tx, event.user_id, event.block.starts_at)
    until = _when(tx, event.user_id, event.expires_at)
    body = f"A place on {when} is free; it is kept for you until {until}."
    link = f"/consultants/{event.block.consultant_id}"
    notice = Notice("waiting_list_offered", "A place is free", body, link, mails=True)
    data = {"block_id": event.block.id, "expires_at": event.expires_at}
    tell(tx, event.user_id, notice, data)


@notifications.consumer(WaitingListOfferExpired)
def tell_that_the_offer_is_over(tx: Transaction, event: WaitingListOfferExpired) -> None:
    """The place was not taken up."""
    when = _when(tx, event.user_id, event.block.starts_at)
    body = f"The place on {when} is no longer kept for you."
    link = f"/consultants/{event.block.consultant_id}"
    notice = Notice("waiting_list_offer_expired", "The offer is over", body, link)
    tell(tx, event.user_id, notice, {"block_id": event.block.id})


@notifications.consumer(CallInitiated)
def call_the_participants(tx: Transaction, event: CallInitiated) -> None:
    """The call is open: both are called to it."""
    for user_id in (event.call.student_id, event.call.consultant_id):
        body = "Your call is open. Join it within a minute."
        notice = Notice("call_initiated", "Your call is open", body, f"/calls/{event.call.id}")
        tell(tx, user_id, notice, {"call_id": event.call.id})


@notifications.consumer(CallDurationRecorded)
def tell_the_minutes(tx: Transaction, event: CallDurationRecorded) -> None:
    """Both are told how long they talked."""
    minutes, seconds = divmod(event.call.talked_s, 60)
    body = f"You talked for {minutes} min {seconds} s."
    for user_id in (event.call.student_id, event.call.consultant_id):
        notice = Notice("call_ended", "Your call is over", body, f"/calls/{event.call.id}")
        tell(tx, user_id, notice, {"call_id": event.call.id, "talked_s": event.call.talked_s})


@notifications.consumer(FlagAnswered)
def thank_for_the_flag(tx: Transaction, event: FlagAnswered) -> None:
    """Who flagged a message is told that it was looked at, and no more."""
    body = "A moderator has looked at a message that you flagged."
    notice = Notice("flag_answered", "Thank you for your flag", body, "/chats")
    tell(tx, event.user_id, notice, {})


@notifications.consumer(ExportReady)
def tell_of_the_export(tx: Transaction, event: ExportReady) -> None:
    """What somebody asked for is there; who did not ask for it should know."""
    until = _when(tx, event.user_id, event.export.expires_at)
    body = f"A file of all that is kept of you can be fetched until {until}."
    notice = Notice("export_ready", "Your data is ready", body, "/profile", mails=True)
    tell(tx, event.user_id, notice, {"export_id": event.export.id})


@notifications.consumer(AccountDeletionPlanned)
def warn_of_the_deletion(tx: Transaction, event: AccountDeletionPlanned) -> None:
    """An account is to be deleted: its owner should know until when that can be taken back."""
    when = _when(tx, event.user_id, event.deleted_at)
    body = f"On {when} nothing of it will be left. Until then you can sign in and take it back."
    title = "Your account is to be deleted"
    notice = Notice("account_deletion_planned", title, body, "/profile", mails=True)
    tell(tx, event.user_id, notice, {"deleted_at": event.deleted_at})


@notifications.consumer(AccountDeletionCancelled)
def tell_that_the_account_stays(tx: Transaction, event: AccountDeletionCancelled) -> None:
    """A deletion was taken back: its owner should know."""
    body = "Nothing was deleted. What was called off stays so."
    notice = Notice("account_deletion_cancelled", "Your account stays", body, "/profile", True)
    tell(tx, event.user_id, notice, {})


@notifications.consumer(DeliverySucceeded)
def note_the_delivery(tx: Transaction, event: DeliverySucceeded) -> None:
    """A notification's mail went out."""
    note_mail(tx, event.notification_id, "sent")


@notifications.consumer(DeliveryFailed)
def note_the_failure(tx: Transaction, event: DeliveryFailed) -> None:
    """A notification's mail was given up."""
    note_mail(tx, event.notification_id, "failed")


def _tell_about(
    tx: Transaction,
    event: AboutBooking,
    user_id: str,
    title: str,
    said: str,
    *,
    mails: bool = False,
    named: str | None = None,
) -> None:
    """`named` is whose name is in what is `said`."""
    booking = event.booking
    body = f"{said} {_when(tx, user_id, booking.starts_at)}."
    link = f"/bookings/{booking.id}"
    notice = Notice(event.NAME.lower(), title, body, link, mails)
    data = {"booking_id": booking.id, "status": booking.status}
    tell(tx, user_id, notice, data, about_id=named)


def _others(tx: Transaction, booking: BookingView) -> list[str]:
    """The parties who did not do it; both, when the server did."""
    actor_id = tx.cause.actor_id if tx.cause else None
    return [one for one in (booking.student_id, booking.consultant_id) if one != actor_id]


def _name(tx: Transaction, user_id: str) -> str:
    """What a person calls themselves, which may be anything: in quotation marks."""
    user = profiles.get_user(tx, user_id)
    return quoted(f"{user.first_name} {user.last_name}", NAME_MAX)


def _whence(tx: Transaction, event: Somewhere) -> str:
    """From which device, where and when something was done to an account."""
    at = tx.cause.at if tx.cause else tx.now
    device = quoted(event.device, NAME_MAX) if event.device else ""
    places = (device, event.place, _when(tx, event.user_id, at))
    return ", ".join(place for place in places if place)


def _when(tx: Transaction, user_id: str, moment: datetime) -> str:
    """A moment in the person's own zone, in words."""
    return profiles.in_words(moment, profiles.get_user(tx, user_id).time_zone)
