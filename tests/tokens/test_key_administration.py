"""Keys of a running tenant: made when first named, one of each, rotated while the server runs."""

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from identity.administration import keys, tenants
from identity.domain.keys import (
    ENCRYPTION_ALGORITHMS,
    FIRST_ALGORITHMS,
    KEY_ALGORITHMS,
    SIGNING_ALGORITHMS,
    KeyAlgorithm,
    SigningAlgorithm,
)
from identity.errors import IdentityError
from identity.storage.signing_keys import list_signing_keys
from identity.tokens.encryption import decrypt, encrypt
from identity.tokens.id_token import left_half_hash
from identity.tokens.jose import PublicKeys, read_header
from identity.tokens.keyring import Keyring
from tests.support.builders import Site
from tests.support.in_process import TimedSite
from tests.support.processes import environment

pytestmark = pytest.mark.long


def published(site: Site) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.http.get("/oauth2/jwks").json()["keys"]
    return found


def kids(site: Site) -> list[str]:
    return [key["kid"] for key in published(site)]


def kid(token: str) -> str:
    found: str = read_header(token)["kid"]
    return found


def ensured(site: Site, algorithm: KeyAlgorithm) -> None:
    site.administer(lambda a: keys.ensure_key(a, site.tenant, algorithm))


def test_a_tenant_begins_with_two_keys(site: Site) -> None:
    assert {key["alg"] for key in published(site)} == set(FIRST_ALGORITHMS)


@pytest.mark.parametrize("algorithm", SIGNING_ALGORITHMS)
def test_an_application_that_names_an_algorithm_gets_its_key(site: Site, algorithm: SigningAlgorithm) -> None:
    client = site.machine(access_token_type="jwt", access_token_algorithm=algorithm)
    token = site.machine_token(client)
    assert read_header(token)["alg"] == algorithm
    assert site.is_active(client, token)
    claims = PublicKeys({"keys": published(site)}).verify(token, frozenset({algorithm}), frozenset({"at+jwt"}))[1]
    assert claims["client_id"] == client.client_id
    assert {key["alg"] for key in published(site)} == {*FIRST_ALGORITHMS, algorithm}


@pytest.mark.parametrize("algorithm", ["PS256", "ES384", "EdDSA"])
@pytest.mark.spec("OpenID Connect Core", "3.1.3.6")
def test_an_id_token_of_that_algorithm_binds_the_access_token_by_its_hash(site: Site, algorithm: str) -> None:
    client = site.application()
    site.update(client, id_token_algorithm=algorithm)
    tokens = site.tokens(client, site.jane)
    keys_ = PublicKeys({"keys": published(site)})
    claims = keys_.verify(tokens["id_token"], frozenset({algorithm}), frozenset({"JWT"}))[1]
    assert claims["at_hash"] == left_half_hash(tokens["access_token"], algorithm)


def test_every_setting_that_names_an_algorithm_makes_its_key(site: Site) -> None:
    site.machine(userinfo_signed_response_alg="PS256", authorization_signed_response_alg="ES384")
    site.machine(introspection_signed_response_alg="EdDSA")
    site.administer(lambda a: tenants.set_tenant_settings(a, site.handle, {"default_algorithm": "PS384"}))
    assert {key["alg"] for key in published(site)} == {*FIRST_ALGORITHMS, "PS256", "ES384", "EdDSA", "PS384"}


@pytest.mark.parametrize(("algorithm", "kty"), [("RSA-OAEP-256", "RSA"), ("ECDH-ES", "EC"), ("ECDH-ES+A256KW", "EC")])
def test_a_client_that_encrypts_gets_a_key_to_encrypt_to(site: Site, algorithm: str, kty: str) -> None:
    site.machine(request_object_encryption_alg=algorithm)
    [key] = [key for key in published(site) if key["use"] == "enc"]
    assert key["kty"] == kty
    token = encrypt({"iss": "client"}, PublicKeys({"keys": published(site)}), algorithm, "A256GCM")

    async def open_it(administration: Any, tenant: Any) -> bytes:
        keyring = Keyring(administration.sealer, administration.clock)
        return decrypt(token, keyring.of(tenant).decryption, frozenset({algorithm}), frozenset({"A256GCM"}))

    assert json.loads(site.in_tenant(open_it)) == {"iss": "client"}


def test_one_key_of_each_however_often_and_however_many_ask(site: Site) -> None:
    """Decision 14: one key per use and algorithm, every kid distinct."""

    async def at_once(administration: Any) -> None:
        await asyncio.gather(*(keys.ensure_key(administration, site.tenant, "ES384") for _ in range(5)))

    site.administer(at_once)
    for algorithm in (*KEY_ALGORITHMS, *KEY_ALGORITHMS):
        ensured(site, algorithm)
    assert len(published(site)) == len(set(kids(site))) == len(KEY_ALGORITHMS)
    stored = site.administer(lambda a: list_signing_keys(a.database, site.tenant.id))
    assert sorted(key.algorithm for key in stored) == sorted(KEY_ALGORITHMS)
    assert {key.algorithm: key.use for key in stored if key.use == "enc"} == dict.fromkeys(ENCRYPTION_ALGORITHMS, "enc")


def command(site: Site, *arguments: str) -> str:
    """The command line in a process of its own, on the running server's installation."""
    variables = {"IDENTITY_DATA": str(site.server.data), "IDENTITY_MASTER_KEY": site.server.master_key}
    if site.server.database_url:
        variables["IDENTITY_DATABASE_URL"] = site.server.database_url
    done = subprocess.run(
        [sys.executable, "-m", "identity", "keys", *arguments, "--tenant", site.handle],
        env=environment(**variables), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("algorithm", ["EdDSA", "PS256"])
def test_a_key_is_rotated_on_the_command_line_while_the_server_runs(site: Site, algorithm: str) -> None:
    client = site.machine(access_token_type="jwt", access_token_algorithm=algorithm)
    old = site.machine_token(client)
    said = command(site, "rotate", algorithm.lower(), "--overlap", "0")
    new = site.machine_token(client)
    assert said == f"{kid(new)} signs in 0 seconds.\n"
    assert kid(old) != kid(new)
    assert site.is_active(client, old)
    assert {kid(old), kid(new)} <= set(kids(site))
    listed = command(site, "list")
    assert f"{kid(new)}\t{algorithm}\tsigning" in listed
    assert f"{kid(old)}\t{algorithm}\tretired" in listed
    command(site, "delete", kid(old))
    assert not site.is_active(client, old)
    assert site.is_active(client, new)


def test_an_encryption_key_is_replaced_at_once_and_the_former_one_goes_on_opening(timed: TimedSite) -> None:
    ensured(timed, "ECDH-ES")
    before = PublicKeys({"keys": published(timed)})
    sealed = encrypt({"iss": "client"}, before, "ECDH-ES", "A128GCM")
    new = timed.administer(lambda a: keys.rotate_key(a, timed.tenant, "ECDH-ES"))
    timed.clock.advance(2)
    assert [key["kid"] for key in published(timed) if key["use"] == "enc"] == [new.kid]

    async def open_it(administration: Any, tenant: Any) -> bytes:
        keyring = Keyring(administration.sealer, administration.clock)
        return decrypt(sealed, keyring.of(tenant).decryption, frozenset({"ECDH-ES"}), frozenset({"A128GCM"}))

    assert json.loads(timed.in_tenant(open_it)) == {"iss": "client"}
    timed.clock.advance(60)
    former = next(key.kid for key in before.keys if key.use == "enc")
    timed.administer(lambda a: keys.delete_retired_key(a, timed.tenant, str(former)))
    with pytest.raises(IdentityError):
        timed.in_tenant(open_it)


def test_a_key_that_still_signs_is_not_deleted(timed: TimedSite) -> None:
    """During the overlap it has its end before it, and nothing else could sign."""
    former = next(key["kid"] for key in published(timed) if key["alg"] == "RS256")
    timed.administer(lambda a: keys.rotate_key(a, timed.tenant, "RS256", overlap=60))
    timed.clock.advance(59)
    with pytest.raises(IdentityError, match="rotate first"):
        timed.administer(lambda a: keys.delete_retired_key(a, timed.tenant, former))
    timed.clock.advance(1)
    timed.administer(lambda a: keys.delete_retired_key(a, timed.tenant, former))
    timed.clock.advance(2)
    assert former not in kids(timed)


def test_the_first_key_of_an_algorithm_signs_at_once(timed: TimedSite) -> None:
    """There is no former one to sign meanwhile, whatever overlap is asked for."""
    key = timed.administer(lambda a: keys.rotate_key(a, timed.tenant, "PS512", overlap=60))
    assert key.active_at == key.created_at
    client = timed.machine(access_token_type="jwt", access_token_algorithm="PS512")
    assert kid(timed.machine_token(client)) == key.kid


def test_a_new_tenant_has_the_key_of_its_default_algorithm(site: Site) -> None:
    settings = replace(site.tenant.settings, default_algorithm="ES512")
    handle = f"{site.handle}-x"
    tenant = site.administer(lambda a: tenants.create_tenant(a, handle, settings=settings))
    stored = site.administer(lambda a: list_signing_keys(a.database, tenant.id))
    assert [key.algorithm for key in stored] == [*FIRST_ALGORITHMS, "ES512"]
