"""Answers as JWT: signed, encrypted, or both."""

import asyncio
import json
from typing import Any

import pytest
from joserfc import jwe
from joserfc.jwk import ECKey

from identity.config import Purpose
from identity.domain.applications import Application, ApplicationId, ClientId
from identity.messaging.guarded_client import Answer, OutboundFailed
from identity.tokens.client_keys import ClientKeys
from identity.tokens.encryption import NoEncryptionKey
from identity.tokens.jose import is_encrypted
from identity.tokens.keyring import Keyring
from identity.tokens.responses import ResponseTokens
from tests.attacks.forging import jwks, public_jwk
from tests.support.in_process import SetClock
from tests.tokens.made_keys import SEALER, client_key, own_key, tenant_with

TENANT = tenant_with(own_key("RS256"), own_key("PS256"), own_key("ECDH-ES"))
CLAIMS = {"iss": "us", "sub": "joe"}
KEYRING = Keyring(SEALER, SetClock())


class Nobody:
    async def fetch(self, url: str, *, purpose: Purpose, limit: int = 0) -> Answer:
        raise OutboundFailed("down")


def protected(*, sign: str | None, alg: str | None = None, enc: str | None = None, **settings: Any) -> str:
    settings = settings or {"jwks": json.dumps(jwks(public_jwk(client_key("P-256"), kid="box", use="enc")))}
    application = Application(id=ApplicationId("a"), client_id=ClientId("c"), name="Sample", **settings)
    responses = ResponseTokens(KEYRING, ClientKeys(Nobody(), SetClock()))
    return asyncio.run(
        responses.protect(TENANT, application, CLAIMS, typ="JWT", sign=sign, encrypt_alg=alg, encrypt_enc=enc)
    )


def opened(token: str) -> tuple[dict[str, Any], bytes]:
    found = jwe.decrypt_compact(
        token, ECKey.import_key(client_key("P-256")), algorithms=["ECDH-ES", "A128GCM", "A256GCM"]
    )
    assert found.plaintext is not None
    return found.headers(), found.plaintext


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_signed_by_the_key_of_that_algorithm(algorithm: str) -> None:
    token = protected(sign=algorithm)
    assert KEYRING.of(TENANT).verification.verify(token, frozenset({"JWT"})) == CLAIMS


@pytest.mark.spec("RFC 7519", "5.2")
@pytest.mark.spec("OpenID Connect Core", "10.2")
def test_signed_and_then_encrypted() -> None:
    header, inner = opened(protected(sign="PS256", alg="ECDH-ES", enc="A256GCM"))
    assert (header["alg"], header["enc"], header["cty"], header["kid"]) == ("ECDH-ES", "A256GCM", "JWT", "box")
    assert KEYRING.of(TENANT).verification.verify(inner.decode(), frozenset({"JWT"})) == CLAIMS


def test_encrypted_alone() -> None:
    token = protected(sign=None, alg="ECDH-ES")
    assert is_encrypted(token)
    header, inner = opened(token)
    assert (header["enc"], "cty" in header, json.loads(inner)) == ("A128GCM", False, CLAIMS)


def test_neither_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="neither"):
        protected(sign=None)


def test_without_a_key_to_encrypt_to_nothing_leaves_in_the_clear() -> None:
    signing_only = json.dumps(jwks(public_jwk(client_key("P-256"), use="sig")))
    for settings in ({"jwks": signing_only}, {"jwks_uri": "https://client.example/jwks"}, {"contacts": ("nobody",)}):
        with pytest.raises(NoEncryptionKey) as refusal:
            protected(sign="RS256", alg="ECDH-ES", **settings)
        assert "ECDH-ES" in refusal.value.public
