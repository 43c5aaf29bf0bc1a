"""The last mail to somebody whose account is deleted."""

from handlers.platform.personal_data import personal_data

ACCOUNT_DELETED = personal_data.mail("account_deleted", says=("first_name",), action=True)
