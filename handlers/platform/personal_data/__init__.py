"""Export and erasure of users' personal data, as the other domains declare it."""

from handlers.kit.domain import Domain
from handlers.platform.personal_data.rules import PersonalDataRules

personal_data = Domain("personal_data", rules=PersonalDataRules)
