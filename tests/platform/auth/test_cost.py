"""What it costs to guess a stored password."""

from importlib.util import find_spec, module_from_spec

DEAR = "$argon2id$v=19$m=19456,t=2,p=1$"
"""OWASP's second profile for argon2id."""


async def test_a_stored_password_costs_as_much_to_guess_as_owasp_says():
    spec = find_spec("handlers.platform.auth.passwords")
    passwords = module_from_spec(spec)  # a module of its own: that of other tests hashes cheaply
    spec.loader.exec_module(passwords)
    stored = await passwords.hash_password("correct horse battery")
    assert stored.startswith(DEAR)
    assert passwords._NOBODY.startswith(DEAR), "or an unknown account is refused sooner"
