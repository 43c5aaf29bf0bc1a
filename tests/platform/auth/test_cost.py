"""The cost of guessing a stored password."""

from importlib.util import find_spec, module_from_spec

OWASP_PARAMETERS = "$argon2id$v=19$m=19456,t=2,p=1$"
"""OWASP's second profile for argon2id."""


async def test_password_hashes_use_parameters_recommended_by_owasp():
    spec = find_spec("handlers.platform.auth.passwords")
    passwords = module_from_spec(spec)  # a copy, because the tests make the original cheap
    spec.loader.exec_module(passwords)
    stored = await passwords.hash_password("correct horse battery")
    assert stored.startswith(OWASP_PARAMETERS)
    assert passwords._NOBODY.startswith(OWASP_PARAMETERS), "or an unknown account is refused sooner"
