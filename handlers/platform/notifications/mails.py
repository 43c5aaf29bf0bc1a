"""The mail in which a notice goes out."""

from handlers.platform.notifications import notifications

NOTICE = notifications.mail("notice", says=("title", "first_name", "body"), action=True)
