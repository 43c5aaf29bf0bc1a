"""Export and erasure of a user's personal data. Domains declare what theirs is."""

from handlers.kit.domain import Domain
from handlers.platform.personal_data.rules import PersonalDataRules

personal_data = Domain("personal_data", rules=PersonalDataRules)
