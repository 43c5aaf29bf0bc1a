"""Fixtures: the servers of these tests also load the probe domain and its consumer."""

import pytest

from handlers.kit.domain import Domain
from tests.kit import probe as probes
from tests.kit.probe import Switches
from tests.world import Person, World


@pytest.fixture
def switches() -> Switches:
    return probes.reset()


@pytest.fixture
def domains(switches: Switches) -> tuple[Domain, ...]:
    return (probes.probe, probes.listener)


@pytest.fixture
async def ana(world: World) -> Person:
    return await world.person("ana")


@pytest.fixture
async def ben(world: World) -> Person:
    return await world.person("ben")
