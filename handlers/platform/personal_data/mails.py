"""The mail that confirms the deletion of an account."""

from handlers.platform.personal_data import personal_data

ACCOUNT_DELETED = personal_data.mail("account_deleted", says=("first_name",), action=True)
