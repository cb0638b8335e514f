"""Resource indicators (RFC 8707): which may be named, and that a token's audience is exactly these."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from identity.domain.applications import RESPONSE_TYPES
from tests.support.authorization import api, pushed_uri, pushed_url
from tests.support.builders import Client, Pkce, Site, claims_of, response_parameters

ORDERS = "https://orders.example/api"
STOCK = "https://stock.example/api?region=eu"
NEITHER = "https://elsewhere.example/"


@pytest.fixture
def client(site: Site) -> Client:
    return site.application(resources=(ORDERS, STOCK), access_token_type="jwt")


def authorized(site: Site, client: Client, *resources: str, **parameters: str | None) -> dict[str, str]:
    url = site.authorize_url(client, **parameters) + "".join(f"&{urlencode({'resource': r})}" for r in resources)
    page = site.browser().get(url)
    if page.has("login-submit"):
        page = page.submit("login-submit", username="jane", password=site.jane.password)
    return response_parameters(page)


def token_request(site: Site, client: Client, *resources: str, **form: str) -> httpx.Response:
    pairs = [*form.items(), *(("resource", resource) for resource in resources)]
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return site.http.post("/oauth2/token", content=urlencode(pairs), headers=headers, auth=client.basic)


def redeemed(site: Site, client: Client, code: str, *resources: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect_uri}
    return token_request(site, client, *resources, **form)


def audience(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return claims_of(response.json()["access_token"])["aud"]


@pytest.mark.spec("RFC 8707", "2.1")
@pytest.mark.spec("RFC 8707", "2.2")
def test_the_audience_is_what_was_named(site: Site, client: Client) -> None:
    """Decision 4: exactly those, never the client id."""
    code = authorized(site, client, ORDERS, STOCK)["code"]
    assert audience(redeemed(site, client, code)) == [ORDERS, STOCK]
    code = authorized(site, client, ORDERS, ORDERS)["code"]
    assert audience(redeemed(site, client, code)) == ORDERS
    code = authorized(site, client)["code"]
    assert audience(redeemed(site, client, code)) == client.client_id


@pytest.mark.spec("RFC 8707", "2.2")
def test_the_token_request_narrows(site: Site, client: Client) -> None:
    code = authorized(site, client, ORDERS, STOCK)["code"]
    answer = redeemed(site, client, code, STOCK)
    assert audience(answer) == STOCK
    refresh = answer.json()["refresh_token"]
    again = token_request(site, client, ORDERS, grant_type="refresh_token", refresh_token=refresh)
    assert audience(again) == ORDERS
    # A refresh token keeps the whole of what was granted.
    refresh = again.json()["refresh_token"]
    assert audience(site.refresh(client, refresh)) == [ORDERS, STOCK]


@pytest.mark.spec("RFC 8707", "2.2")
def test_never_beyond_the_authorization(site: Site, client: Client) -> None:
    code = authorized(site, client, ORDERS)["code"]
    response = redeemed(site, client, code, STOCK)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_target")
    assert audience(redeemed(site, client, code, ORDERS)) == ORDERS


def test_named_at_the_token_request_alone(site: Site, client: Client) -> None:
    code = authorized(site, client)["code"]
    assert audience(redeemed(site, client, code, ORDERS)) == ORDERS


@pytest.mark.spec("RFC 8707", "2")
@pytest.mark.parametrize(
    "resource",
    [
        NEITHER, ORDERS + "/", ORDERS.upper(), ORDERS + "#fragment", "orders", "/api", "//orders.example/api",
        "https://orders.example/api\u00a0", "http://[", "https://orders.example/api https://elsewhere.example/",
    ],
)  # fmt: skip
@pytest.mark.any_engine
def test_what_may_not_be_named(site: Site, client: Client, resource: str) -> None:
    assert authorized(site, client, resource)["error"] == "invalid_target"
    code = authorized(site, client)["code"]
    response = redeemed(site, client, code, resource)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_target")


def test_too_many(site: Site) -> None:
    resources = tuple(f"https://api{n}.example" for n in range(11))
    client = site.application(resources=resources)
    assert authorized(site, client, *resources)["error"] == "invalid_target"
    assert "code" in authorized(site, client, *resources[:10])


def test_without_a_list_every_api_of_the_tenant(site: Site) -> None:
    client = site.application(access_token_type="jwt", audiences=("urn:partner",))
    assert authorized(site, client, ORDERS)["error"] == "invalid_target"
    api(site, ORDERS)
    assert audience(redeemed(site, client, authorized(site, client, ORDERS)["code"])) == ORDERS
    assert authorized(site, client, STOCK)["error"] == "invalid_target"
    # What is configured as its audience may be named alone.
    assert audience(redeemed(site, client, authorized(site, client, "urn:partner")["code"])) == "urn:partner"
    listing = site.application(resources=(STOCK,))
    assert authorized(site, listing, ORDERS)["error"] == "invalid_target"


def test_an_api_of_another_tenant(site: Site) -> None:
    other = Site(site.server, f"{site.handle}b", site.tenant.settings)
    try:
        api(other, ORDERS)
        assert authorized(site, site.application(), ORDERS)["error"] == "invalid_target"
    finally:
        other.close()


def test_an_application_that_has_to_name_one(site: Site) -> None:
    client = site.application(resources=(ORDERS, STOCK), require_resource=True, access_token_type="jwt")
    assert authorized(site, client)["error"] == "invalid_target"
    code = authorized(site, client, ORDERS, STOCK)["code"]
    for resources in ((), (ORDERS, STOCK)):
        response = redeemed(site, client, code, *resources)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_target")
    answer = redeemed(site, client, code, STOCK)
    assert audience(answer) == STOCK
    assert site.refresh(client, answer.json()["refresh_token"]).json()["error"] == "invalid_target"


def test_client_credentials(site: Site) -> None:
    client = site.machine(resources=(ORDERS, STOCK), access_token_type="jwt")
    form = {"grant_type": "client_credentials", "scope": "read"}
    assert audience(token_request(site, client, ORDERS, STOCK, **form)) == [ORDERS, STOCK]
    assert audience(token_request(site, client, **form)) == client.client_id
    response = token_request(site, client, NEITHER, **form)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_target")
    site.update(client, require_resource=True)
    assert token_request(site, client, **form).json()["error"] == "invalid_target"
    assert token_request(site, client, ORDERS, STOCK, **form).json()["error"] == "invalid_target"
    assert audience(token_request(site, client, ORDERS, **form)) == ORDERS


def test_opaque_tokens_and_introspection(site: Site) -> None:
    client = site.application(resources=(ORDERS, STOCK))
    tokens = redeemed(site, client, authorized(site, client, ORDERS, STOCK)["code"]).json()
    assert site.introspect(client, tokens["access_token"])["aud"] == [ORDERS, STOCK]
    narrowed = token_request(
        site, client, ORDERS, grant_type="refresh_token", refresh_token=tokens["refresh_token"]
    ).json()
    assert site.introspect(client, narrowed["access_token"])["aud"] == ORDERS


def test_a_token_of_the_front_channel(site: Site) -> None:
    client = site.application(
        resources=(ORDERS, STOCK), response_types=RESPONSE_TYPES, access_token_type="jwt", require_resource=True
    )
    answer = authorized(site, client, ORDERS, response_type="token")
    assert claims_of(answer["access_token"])["aud"] == ORDERS
    assert authorized(site, client, ORDERS, STOCK, response_type="token")["error"] == "invalid_target"
    assert "id_token" in authorized(site, client, response_type="id_token", nonce="n")


def test_a_pushed_request(site: Site, client: Client) -> None:
    page = site.browser().get(pushed_url(site, client, pushed_uri(site, client, resource=STOCK)))
    page = page.submit("login-submit", username="jane", password=site.jane.password)
    assert audience(redeemed(site, client, response_parameters(page)["code"])) == STOCK


def test_the_default_resource_of_a_tenant(site: Site, client: Client) -> None:
    """Decision 4: without `resource`."""
    site.change_settings(lambda settings: replace(settings, default_resource=STOCK))
    pkce = Pkce()
    assert audience(redeemed(site, client, authorized(site, client)["code"])) == STOCK
    code = authorized(site, client, ORDERS, **pkce.parameters)["code"]
    response = token_request(
        site, client, grant_type="authorization_code", code=code, redirect_uri=client.redirect_uri,
        code_verifier=pkce.verifier,
    )  # fmt: skip
    assert audience(response) == ORDERS


def test_the_consent_page_names_the_api(site: Site) -> None:
    api(site, ORDERS, name="Orders of the shop")
    client = site.application(skip_consent=False)
    url = site.authorize_url(client) + "&" + urlencode({"resource": ORDERS})
    page = site.browser().get(url).submit("login-submit", username="jane", password=site.jane.password)
    assert "Orders of the shop" in page.document.text
    assert ORDERS in page.document.text
    assert "code" in response_parameters(page.submit("consent-allow"))


@pytest.mark.spec("RFC 9728", "3.2")
def test_our_own_interfaces(site: Site, client: Client) -> None:
    """What our protected-resource metadata names can be asked for, by an application with a list of its own too."""
    place = f"/.well-known/oauth-protected-resource/t/{site.handle}/oauth2/token"
    named = httpx.get(site.server.base_url + place, trust_env=False).json()["resource"]
    assert named == site.issuer
    code = authorized(site, client, named)["code"]
    tokens = redeemed(site, client, code)
    assert audience(tokens) == site.issuer
    assert site.userinfo(tokens.json()["access_token"]).json()["sub"]
    code = authorized(site, client, site.issuer, scope="orders")["code"]
    assert site.userinfo(redeemed(site, client, code).json()["access_token"]).status_code == 403


def test_another_tenants_interfaces(site: Site, client: Client) -> None:
    for other in (site.issuer.replace(site.handle, "other"), site.base, site.issuer + "/"):
        assert authorized(site, client, other)["error"] == "invalid_target", other
