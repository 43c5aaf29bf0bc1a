"""The mail that carries a notice."""

from handlers.platform.notifications import notifications

NOTICE = notifications.mail("notice", says=("title", "first_name", "body"), action=True)
