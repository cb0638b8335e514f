"""Keys made once for the whole run: a tenant's own, and those of clients and attackers."""

from functools import cache
from typing import Any

from identity.domain.keys import KeyAlgorithm, SigningKey
from identity.domain.tenants import ROOT_HANDLE, ROOT_TENANT, Tenant, TenantSettings
from identity.secrets import Sealer
from identity.storage.configuration import TenantConfiguration
from identity.tokens.algorithms import import_key
from identity.tokens.jose import key_context, make_key, parse_object
from tests.attacks.forging import new_key

SEALER = Sealer.from_master_keys(bytes(32))
KIND_OF_KEY = {"RSA": "RS256", "P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA", "oct": "HS512"}
"""An algorithm of each kind of key."""


@cache
def own_key(algorithm: KeyAlgorithm) -> SigningKey:
    return make_key(algorithm, kid=f"{algorithm.lower()}-own", sealer=SEALER, now=0, active_at=0)


@cache
def private_of(key: SigningKey) -> Any:
    """The private key itself, as somebody has it who stole it."""
    return import_key(parse_object(SEALER.open(key.private_jwk, key_context(key.kid)))).private_key


@cache
def client_key(kind: str) -> Any:
    """A client's private key or secret of this kind."""
    return new_key(KIND_OF_KEY[kind])


@cache
def attacker_key(kind: str) -> Any:
    return new_key(KIND_OF_KEY[kind])


def tenant_with(*keys: SigningKey) -> TenantConfiguration:
    """A tenant as the process has it, with these keys."""
    tenant = Tenant(id=ROOT_TENANT, handle=ROOT_HANDLE, enabled=True, version=1, settings=TenantSettings())
    return TenantConfiguration(tenant=tenant, keys=keys, stores=(), checked_at=0)
