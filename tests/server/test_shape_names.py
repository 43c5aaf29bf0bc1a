"""The names of types in the catalog if two of them share a name."""

import sys
from types import ModuleType
from typing import Literal

import msgspec
import pytest

from handlers.kit.contract import Request, View
from server.catalog.shapes import Shapes


def invented_struct(name: str, module: str, *bases: type) -> type:
    return msgspec.defstruct(name, [("id", str)], bases=bases or None, module=module)


def test_a_single_view_keeps_a_shared_name() -> None:
    view = invented_struct("CallView", "handlers.consulting.call.contracts", View)
    asked = invented_struct("Call", "handlers.consulting.waiting_room.contracts", Request)
    other = invented_struct("Leave", "handlers.consulting.call.contracts", Request)
    third = invented_struct("Leave", "handlers.platform.chat.contracts", Request)
    shapes = Shapes([asked, other, third], [view], own={}, taken=())
    names = [shapes.names[cls] for cls in (view, asked, other, third)]
    assert names == ["Call", "WaitingRoomCall", "CallLeave", "ChatLeave"]
    assert set(shapes.schemas()) == set(names)


def test_a_name_used_by_the_generated_file_is_reserved() -> None:
    events = invented_struct("Events", "handlers.platform.chat.contracts", Request)
    assert Shapes([events], [], own={}, taken=("Events",)).names[events] == "ChatEvents"


def test_two_things_with_one_name_are_refused() -> None:
    one = invented_struct("Leave", "handlers.platform.chat.contracts", Request)
    two = invented_struct("Leave", "handlers.platform.chat.more", Request)
    with pytest.raises(ValueError, match="ChatLeave"):
        Shapes([one, two], [], own={}, taken=())


def test_a_system_does_not_rename_types_of_another() -> None:
    modules = ("handlers.platform.search", "handlers.learning.search", "handlers.boutique.orders")
    hits = [invented_struct("HitView", f"{module}.contracts", View) for module in modules]
    names = Shapes([], hits, own={}, taken=()).names
    assert [names[hit] for hit in hits] == ["Hit", "LearningHit", "BoutiqueHit"]
    other = invented_struct("HitView", "handlers.learning.courses.contracts", View)
    names = Shapes([], [*hits, other], own={}, taken=()).names
    assert [names[hit] for hit in (*hits, other)] == [
        "Hit",
        "LearningSearchHit",
        "BoutiqueHit",
        "LearningCoursesHit",
    ]


def test_two_literals_with_one_name_get_their_domains(monkeypatch: pytest.MonkeyPatch) -> None:
    structs = []
    for domain, status in (("call", Literal["open"]), ("chat", Literal["shut"])):
        module = ModuleType(f"handlers.consulting.{domain}.invented")
        vars(module).update(Status=status)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        structs.append(invented_struct(f"{domain.capitalize()}View", module.__name__, View))
    choices = Shapes([], structs, own={}, taken=()).choices
    assert choices == {frozenset({"open"}): "CallStatus", frozenset({"shut"}): "ChatStatus"}
