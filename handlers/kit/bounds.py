"""Maxima in requests that are settings, such as the number of members of a new group.

The type of a field states the maximum for any settings. `Request.BOUNDS` names the rule with the
maximum that holds; the catalog shows it, and a command refuses a request above it as INVALID before
its rate is charged. A route's domain refuses it with a refusal of its own.
"""

from typing import Any

import msgspec
from msgspec import inspect

from handlers.kit.contract import Request
from handlers.kit.errors import Invalid
from handlers.kit.rules import Rules


def most_of(request: type[Request], field: str, rules: Rules) -> int:
    """The maximum of a field in `BOUNDS`: of its value, or of the number of its items."""
    bound = request.BOUNDS[field]
    units: int = rules.value(bound.rule)
    return units * bound.unit - bound.beside


def check_bounds(request: Request, rules: Rules) -> None:
    """Raises Invalid if a list has more items than the rules allow."""
    for field in request.BOUNDS:
        items, most = getattr(request, field), most_of(type(request), field, rules)
        if len(items) > most:
            expected = f"Expected `array` of length <= {most}"
            raise Invalid(details={"path": f"$.{field}", "expected": expected})


def bounded(kind: inspect.Type, most: int) -> inspect.Type:
    """A field's type with a smaller maximum."""
    match kind:
        case inspect.ListType(max_length=limit):
            return msgspec.structs.replace(kind, max_length=min(most, limit or most))
        case inspect.IntType(le=limit):
            return msgspec.structs.replace(kind, le=min(most, limit or most))
    raise TypeError(f"a rule cannot limit {kind}")


def schema_of_bound(kind: inspect.Type) -> dict[str, Any]:
    """The JSON Schema of the maximum of a type from `bounded`."""
    match kind:
        case inspect.ListType(max_length=limit):
            return {"maxItems": limit}
        case inspect.IntType(le=limit):
            return {"maximum": limit}
    raise TypeError(f"a rule cannot limit {kind}")
