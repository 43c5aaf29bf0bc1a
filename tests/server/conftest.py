"""The servers of these tests also serve the probe, a domain that tests control."""

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
    return (probes.probe,)


@pytest.fixture
async def ana(world: World) -> Person:
    return await world.person("ana")
