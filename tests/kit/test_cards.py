"""Kinds of cards: their declarations, and declarations that stop the start."""

import pytest

from handlers import SYSTEMS
from handlers.consulting.booking.contracts import BookingView
from handlers.kit.contract import View
from handlers.kit.domain import Domain
from handlers.kit.registry import Registry, load_domains


class Ticket(View):
    id: str
    version: int


class Seat(View):
    id: str
    version: int


def test_a_domain_declares_its_cards_and_the_registry_knows_them_by_name():
    tickets = Domain("tickets")
    kind = tickets.card("ticket", Ticket)
    assert (kind.name, kind.view) == ("ticket", Ticket)
    assert Registry((tickets,)).cards == {"ticket": kind}
    assert load_domains(SYSTEMS).cards["booking"].view is BookingView


@pytest.mark.parametrize("view", [Ticket, Seat])
def test_two_cards_of_one_name_stop_the_start(view):
    one, other = Domain("one"), Domain("other")
    one.card("ticket", Ticket)
    other.card("ticket", view)
    with pytest.raises(
        TypeError, match=f"card ticket is declared twice: .*Ticket and .*{view.__name__}"
    ):
        Registry((one, other))


@pytest.mark.parametrize("name", ["", "x" * 41])
def test_the_name_of_a_card_kind_has_1_to_40_characters(name):
    with pytest.raises(TypeError, match="a name of 1 to 40 characters"):
        Domain("tickets").card(name, Ticket)


def test_the_view_of_a_card_needs_an_id_and_a_version():
    class Nameless(View):
        text: str

    with pytest.raises(TypeError, match="Nameless has no id and no version"):
        Domain("tickets").card("ticket", Nameless)  # type: ignore[type-var]
