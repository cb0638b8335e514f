"""Software statements (RFC 7591 §2.3): what a trusted issuer signed comes before what the client says."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from identity.domain.trusted_issuers import TrustedIssuer, TrustedIssuerId
from identity.ids import new_id
from identity.storage.trusted_issuers import insert_trusted_issuer
from tests.registration.registering import open_office
from tests.support.builders import Site

ISSUER = "https://directory.example"


class Signer:
    """Signs statements with one key."""

    def __init__(self) -> None:
        from joserfc.jwk import ECKey

        self.key = ECKey.generate_key("P-256", {"kid": "one"})

    @property
    def jwks(self) -> str:
        return json.dumps({"keys": [self.key.as_dict(private=False)]})

    def statement(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        from joserfc import jwt

        content = {"iss": ISSUER, "iat": int(time.time()), "software_id": "notes", "client_name": "Notes"} | claims
        return jwt.encode({"alg": "ES256", "kid": "one"} | (header or {}), content, self.key)


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


def trust(site: Site, jwks: str, **settings: Any) -> None:
    issuer = TrustedIssuer(
        id=TrustedIssuerId(new_id()),
        name="Directory",
        issuer=ISSUER,
        jwks=jwks,
        **({"software_statements": True} | settings),
    )

    async def insert(database: Any) -> None:
        async with database.transaction() as transaction:
            await insert_trusted_issuer(transaction, site.tenant.id, issuer, 0)

    site.administer(lambda a: insert(a.database))


@pytest.mark.spec("RFC 7591", "2.3")
def test_the_signed_values_count(site: Site, signer: Signer) -> None:
    trust(site, signer.jwks)
    statement = signer.statement(redirect_uris=["https://notes.example/cb"], ext_application_owner="me")
    information = open_office(site).registered(
        software_statement=statement, client_name="Something else", client_uri="https://notes.example"
    )
    assert information["client_name"] == "Notes"
    assert information["redirect_uris"] == ["https://notes.example/cb"]
    assert information["client_uri"] == "https://notes.example"
    assert information["software_statement"] == statement
    assert "ext_application_owner" not in information


@pytest.mark.spec("RFC 7591", "3.2.2")
@pytest.mark.parametrize("settings", [{"software_statements": False}, {"enabled": False}, None])
def test_an_issuer_that_is_not_trusted_for_it(site: Site, signer: Signer, settings: dict[str, Any] | None) -> None:
    if settings is not None:
        trust(site, signer.jwks, **settings)
    response = open_office(site).register(software_statement=signer.statement())
    assert (response.status_code, response.json()["error"]) == (400, "unapproved_software_statement")


def _unsigned(signer: Signer) -> str:
    header, payload, _ = signer.statement().split(".")
    return f"{header}.{payload}.AAAA"


@pytest.mark.spec("RFC 7591", "3.2.2")
@pytest.mark.parametrize(
    "make",
    [
        lambda signer: "not a jwt",
        lambda signer: "a.b.c",
        _unsigned,
        lambda signer: Signer().statement(),
        lambda signer: signer.statement(exp=int(time.time()) - 120),
        lambda signer: signer.statement(nbf=int(time.time()) + 600),
        lambda signer: signer.statement(iss=None),
        lambda signer: signer.statement({"typ": "at+jwt"}),
        lambda signer: signer.statement({"kid": "two"}),
        lambda signer: signer.statement(padding="a" * 15_000),
    ],
    ids=["text", "dots", "unsigned", "another key", "expired", "not yet", "no issuer", "an access token", "kid", "big"],
)
@pytest.mark.any_engine
def test_statements_that_are_none(site: Site, signer: Signer, make: Callable[[Signer], str]) -> None:
    trust(site, signer.jwks)
    response = open_office(site).register(software_statement=make(signer))
    assert (response.status_code, response.json()["error"]) in (
        (400, "invalid_software_statement"),
        (400, "invalid_client_metadata"),
    )
    assert response.status_code == 400


def test_a_statement_is_no_way_around_the_rules(site: Site, signer: Signer) -> None:
    """It vouches for the client; what a client may be is ours to say."""
    trust(site, signer.jwks)
    office = open_office(site)
    for claims in (
        {"redirect_uris": ["javascript:alert(1)"]},
        {"grant_types": ["client_credentials"]},
        {"jwks_uri": "https://10.0.0.1/"},
        {"client_name": ["Notes"]},
    ):
        assert office.register(software_statement=signer.statement(**claims)).status_code == 400
