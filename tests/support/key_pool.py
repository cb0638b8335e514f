"""RSA keys from a pool: making one takes 40 ms, and every test has a tenant with keys of its own."""

from itertools import count
from typing import Any

from identity.tokens import own_keys
from identity.tokens.algorithms import AsymmetricKey, generate_key

POOL = 16
"""Tenants that are made one after the other have different keys."""
_PUBLIC = {"kty", "n", "e", "kid", "use", "alg"}


class _Drawn:
    """What is asked of a new key: its members. Importing one would check its primes, as slow as making it."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    def as_dict(self, private: bool) -> dict[str, Any]:
        return {name: value for name, value in self._members.items() if private or name in _PUBLIC}


def draw_from_a_pool() -> None:
    """From now on, in this process, RSA keys come from the pool; each with the `kid` it is asked for."""
    made: list[dict[str, Any]] = []
    turn = count()

    def draw(kty: str, crv: str | None, parameters: Any) -> AsymmetricKey | _Drawn:
        if kty != "RSA":
            return generate_key(kty, crv, parameters)
        if len(made) < POOL:
            made.append(dict(generate_key(kty, crv, {}).as_dict(private=True)))
        members = {name: value for name, value in made[next(turn) % len(made)].items() if name != "kid"}
        return _Drawn(members | parameters)

    own_keys.generate_key = draw  # type: ignore[attr-defined, assignment]
