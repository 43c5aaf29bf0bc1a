"""What only its owner does to an account: proofs, the address, the password without the old one."""

from handlers.kit.domain import Domain

account = Domain("account")
