"""All that is kept of a person: given to them as a file, or erased. Never what it means."""

from handlers.kit.domain import Domain
from handlers.platform.personal_data.rules import PersonalDataRules

personal_data = Domain("personal_data", rules=PersonalDataRules)
