"""Who is calling the token endpoint (RFC 6749 §2.3, §5.2; decisions 15, 24 and 35)."""

import base64
from dataclasses import replace
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest

from identity.administration import applications
from identity.domain.tenants import RateLimit
from identity.errors import IdentityError
from tests.support.builders import Pkce, Site
from tests.support.in_process import TimedSite

GRANT = {"grant_type": "client_credentials"}


def outcome(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("error", "")


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


@pytest.mark.spec("RFC 6749", "2.3.1")
def test_client_secret_basic_and_client_secret_post(site: Site) -> None:
    client = site.machine()
    assert client.secret is not None
    form = GRANT | {"client_id": client.client_id, "client_secret": client.secret}
    assert site.http.post("/oauth2/token", data=form).status_code == 200
    headers = basic(client.client_id, client.secret)
    assert site.http.post("/oauth2/token", data=GRANT, headers=headers).status_code == 200
    headers = {"Authorization": headers["Authorization"].replace("Basic", "bAsIc")}
    assert site.http.post("/oauth2/token", data=GRANT, headers=headers).status_code == 200


@pytest.mark.spec("RFC 6749", "2.3.1")
def test_both_parts_of_basic_are_form_encoded(site: Site) -> None:
    secret = "a b+c%d:e/f" + "x" * 32
    client = site.machine(client_secret=secret)
    assert site.http.post("/oauth2/token", data=GRANT, headers=basic(client.client_id, quote_plus(secret))).is_success


@pytest.mark.spec("RFC 6749", "5.2")
@pytest.mark.parametrize("cause", ["wrong secret", "no secret", "unknown client", "disabled client"])
def test_every_refused_client_hears_the_same(site: Site, cause: str) -> None:
    client = site.machine()
    name = "nobody" if cause == "unknown client" else client.client_id
    if cause == "disabled client":
        site.update(client, enabled=False)
    secret = client.secret if cause == "disabled client" else "wrong"
    assert secret is not None
    response = site.http.post("/oauth2/token", data=GRANT, headers=basic(name, secret))
    assert outcome(response) == (401, "invalid_client")
    assert response.headers["www-authenticate"] == 'Basic realm="oauth2"'
    form = GRANT | {"client_id": name} | ({} if cause == "no secret" else {"client_secret": secret})
    posted = site.http.post("/oauth2/token", data=form)
    assert outcome(posted) == (401, "invalid_client")
    assert "www-authenticate" not in posted.headers
    assert posted.json() == response.json()


@pytest.mark.parametrize(
    "header",
    ["Basic", "Basic !!!", "Basic " + base64.b64encode(b"no colon").decode(), "Basic /////w==", "Digest x", "Bearer x"],
)
def test_malformed_authorization_headers(site: Site, header: str) -> None:
    response = site.http.post("/oauth2/token", data=GRANT, headers={"Authorization": header})
    assert outcome(response) == (401, "invalid_client")


@pytest.mark.spec("RFC 6749", "2.3")
@pytest.mark.parametrize("extra", [{"client_secret": "x"}, {"client_id": "another"}])
def test_two_ways_of_client_authentication_at_once(site: Site, extra: dict[str, str]) -> None:
    client = site.machine()
    response = site.http.post("/oauth2/token", data=GRANT | extra, auth=client.basic)
    assert outcome(response) == (400, "invalid_request")


def test_a_repeated_authorization_header(site: Site) -> None:
    client = site.machine()
    header = basic(*client.basic)["Authorization"].encode()
    response = site.http.post(
        "/oauth2/token",
        content=b"grant_type=client_credentials",
        headers=[
            (b"Authorization", header),
            (b"Authorization", header),
            (b"Content-Type", b"application/x-www-form-urlencoded"),
        ],
    )
    assert outcome(response) == (400, "invalid_request")


@pytest.mark.spec("RFC 6749", "3.2")
@pytest.mark.parametrize("endpoint", ["token", "introspect", "revoke"])
def test_repeated_parameters(site: Site, endpoint: str) -> None:
    client = site.machine()
    for body in (b"grant_type=client_credentials&token=x&grant_type=client_credentials", b"token=x&token=x"):
        response = site.http.post(
            f"/oauth2/{endpoint}",
            content=body,
            auth=client.basic,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert outcome(response) == (400, "invalid_request")


@pytest.mark.spec("RFC 6749", "2.3.1")
@pytest.mark.parametrize("endpoint", ["token", "introspect", "revoke"])
def test_credentials_in_the_address(site: Site, endpoint: str) -> None:
    client = site.machine()
    response = site.http.post(
        f"/oauth2/{endpoint}?client_id={client.client_id}&client_secret={client.secret}", data=GRANT | {"token": "x"}
    )
    assert outcome(response) == (400, "invalid_request")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_bodies_that_are_no_form(site: Site, content_type: str) -> None:
    response = site.http.post(
        "/oauth2/token", content=b"grant_type=client_credentials", headers={"Content-Type": content_type}
    )
    assert outcome(response) == (400, "invalid_request")


@pytest.mark.spec("RFC 6749", "3.2")
@pytest.mark.parametrize("endpoint", ["token", "introspect", "revoke"])
def test_a_get(site: Site, endpoint: str) -> None:
    response = site.http.get(f"/oauth2/{endpoint}", auth=site.machine().basic)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


def test_public_clients_send_no_secret(site: Site) -> None:
    client = site.public_application()
    pkce = Pkce()
    code = site.code(client, site.jane, **pkce.parameters)
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect_uri,
        "code_verifier": pkce.verifier, "client_id": client.client_id,
    }  # fmt: skip
    assert outcome(site.http.post("/oauth2/token", data=form | {"client_secret": "x"})) == (401, "invalid_client")
    assert site.http.post("/oauth2/token", data=form).status_code == 200


def test_a_confidential_client_that_sends_no_secret(site: Site) -> None:
    client = site.application()
    code = site.code(client, site.jane)
    form = {"grant_type": "authorization_code", "code": code, "client_id": client.client_id}
    assert outcome(site.http.post("/oauth2/token", data=form)) == (401, "invalid_client")


# Decision 15: secrets.


def test_generated_secrets_have_512_bits_and_can_be_read_back(site: Site) -> None:
    client = site.machine()
    assert client.secret is not None
    assert len(base64.urlsafe_b64decode(client.secret + "==")) == 64
    stored = site.administer(lambda a: applications.require_application(a, site.tenant, client.client_id))

    async def read(administration: Any) -> str | None:
        return applications.read_client_secret(administration, stored)

    assert site.administer(read) == client.secret
    assert client.secret.encode() not in (stored.secrets[0].sealed or b"")


def test_a_preset_secret_needs_32_characters(site: Site) -> None:
    with pytest.raises(IdentityError, match="32 characters"):
        site.machine(client_secret="x" * 31)
    client = site.machine(client_secret="x" * 32)
    assert site.machine_token(client)


def test_a_replaced_secret_is_refused_at_the_next_call(site: Site) -> None:
    client = site.machine()
    site.machine_token(client)
    new = site.administer(lambda a: applications.add_client_secret(a, site.tenant, client.client_id))
    assert outcome(site.token(client, **GRANT)) == (401, "invalid_client")
    assert site.http.post("/oauth2/token", data=GRANT, auth=(client.client_id, str(new))).status_code == 200


def test_an_old_secret_may_overlap_for_a_while(timed: TimedSite) -> None:
    client = timed.machine()
    timed.administer(lambda a: applications.add_client_secret(a, timed.tenant, client.client_id, old_valid_seconds=600))
    timed.clock.advance(599)
    assert timed.token(client, **GRANT).status_code == 200
    timed.clock.advance(2)
    assert outcome(timed.token(client, **GRANT)) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"enabled": False}, (401, "invalid_client")),
        (
            {"grant_types": ("authorization_code",), "redirect_uris": ("https://a.example/",)},
            (400, "unauthorized_client"),
        ),
        ({"scopes": ()}, (200, "")),
    ],
    ids=["disabled", "grant taken away", "scopes taken away"],
)
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_changed_application_counts_from_the_next_call(
    site: Site, kind: str, change: dict[str, Any], expected: tuple[int, str]
) -> None:
    """Decision 35: what is cached is compared by version, for stored tokens and for JWTs."""
    client = site.machine(access_token_type=kind)
    assert site.token(client, scope="read", **GRANT).json()["scope"] == "read"
    site.update(client, **change)
    response = site.token(client, scope="read", **GRANT)
    assert outcome(response) == expected
    assert "scope" not in response.json()


def test_a_deleted_application(site: Site) -> None:
    client = site.machine()
    token = site.machine_token(client)
    gateway = site.application("Gateway", may_introspect_any=True)
    assert site.is_active(gateway, token)
    site.administer(lambda a: applications.delete_application(a, site.tenant, client.client_id))
    assert outcome(site.token(client, **GRANT)) == (401, "invalid_client")
    assert not site.is_active(gateway, token)


def test_the_rate_limit_of_a_client_says_when_to_come_back(site: Site) -> None:
    busy, quiet = site.machine(), site.machine()
    site.change_settings(lambda s: replace(s, token_limit_client=RateLimit(count=3, seconds=3600)))
    assert [site.token(busy, **GRANT).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert int(site.token(busy, **GRANT).headers["retry-after"]) > 0
    assert site.token(quiet, **GRANT).status_code == 200
