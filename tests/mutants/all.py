"""All mutants."""

from tests.mutants import client, connections, consulting, kernel, platform

MUTANTS = (
    *kernel.MUTANTS,
    *connections.MUTANTS,
    *platform.MUTANTS,
    *consulting.MUTANTS,
    *client.MUTANTS,
)
