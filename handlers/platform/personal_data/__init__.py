"""All that is kept of a person: given to them as a file, or erased. Never what it means."""

from handlers.kit.context import Transaction
from handlers.kit.domain import Belonging, Domain
from handlers.kit.kernel import Actor
from handlers.platform.personal_data.rules import PersonalDataRules
from rooms import names


def rooms_of(tx: Transaction, actor: Actor) -> list[Belonging]:
    """Everybody hears what becomes of their own account."""
    return [Belonging(names.user(actor.id))]


personal_data = Domain("personal_data", "/account", rooms_of=rooms_of, rules=PersonalDataRules)
