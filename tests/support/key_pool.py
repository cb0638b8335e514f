"""RSA keys from a pool: making one takes 40 ms, and every test has a tenant with keys of its own."""

from itertools import count
from typing import Any

from joserfc.jwk import RSAKey

from identity.tokens import own_keys
from identity.tokens.algorithms import AsymmetricKey, generate_key

POOL = 16
"""Tenants that are made one after the other have different keys."""


def draw_from_a_pool() -> None:
    """From now on, in this process, RSA keys come from the pool; each with the `kid` it is asked for."""
    made: list[dict[str, Any]] = []
    turn = count()

    def draw(kty: str, crv: str | None, parameters: Any) -> AsymmetricKey:
        if kty != "RSA":
            return generate_key(kty, crv, parameters)
        if len(made) < POOL:
            made.append(dict(generate_key(kty, crv, {}).as_dict(private=True)))
        members = {name: value for name, value in made[next(turn) % len(made)].items() if name != "kid"}
        return RSAKey.import_key(members | parameters)

    own_keys.generate_key = draw  # type: ignore[attr-defined]
