"""Three instances behind a proxy are restarted in turn under load, without effects on users."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
import pytest_asyncio

from tests.chaos.rolling import RollingRestart
from tests.chaos.run import Outcome
from tests.chaos.site import running_site

INSTANCES = 3
PEOPLE = 30
DRAIN_S = 3.0
GRACE_S = 2.5
SETTINGS = {"PARLEY_DRAIN_S": str(DRAIN_S), "PARLEY_PRESENCE_GRACE_S": str(GRACE_S)}
SPREAD_S = DRAIN_S / 5
"""The minimum spread: of ten random times, only 5 in a million drains are closer together."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def run(tmp_path_factory) -> AsyncIterator[RollingRestart]:
    """One finished run for all tests."""
    folder = tmp_path_factory.mktemp("rolling")
    outcome = Outcome("several", seed=1)
    async with (
        running_site("several", INSTANCES, folder, outcome.records, **SETTINGS) as site,
        AsyncExitStack() as stack,
    ):
        run = RollingRestart(site, outcome, stack)
        await run.run(PEOPLE)
        yield run


async def test_nothing_is_lost_repeated_out_of_order_or_unanswered(run):
    assert run.outcome.records.violations == []
    asked = [one for one in run.outcome.records.asked if one.command == "send"]
    assert asked
    assert all(one.ok for one in asked)


async def test_no_user_is_reported_offline(run):
    assert run.stored.offline_events == []
    watching = [device.shown for device in run.devices if device.shown.online]
    assert watching
    assert run.reported_offline == []


async def test_each_instance_exits_with_code_0(run):
    assert [restart.exit_code for restart in run.restarts] == [0] * INSTANCES


async def test_each_instance_is_unready_while_it_still_serves(run):
    for restart in run.restarts:
        assert restart.unready_at
        assert restart.answered_at
        assert restart.unready_at < restart.answered_at


async def test_clients_move_one_by_one_over_the_drain_time(run):
    for restart in run.restarts:
        moments = [move.at for move in run.moves_during(restart)]
        assert max(moments) - min(moments) > timedelta(seconds=SPREAD_S)
        assert max(moments) - restart.stopped_at < timedelta(seconds=3 * DRAIN_S)


async def test_clients_move_only_on_request_and_to_another_instance(run):
    assert min(move.at for move in run.moves()) >= run.restarts[0].stopped_at
    for restart in run.restarts:
        moves = run.moves_during(restart)
        assert {move.left for move in moves} == {restart.place}
        assert restart.place not in {move.came_to for move in moves}
        assert max(Counter(move.device for move in moves).values()) == 1
