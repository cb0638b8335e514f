"""What protected resources say of themselves (RFC 9728)."""

from dataclasses import replace

import httpx
import pytest

from identity.domain.api_resources import ApiResource, ApiResourceId, ApiScope
from identity.ids import new_id
from identity.storage import api_resources
from tests.support.builders import Site
from tests.support.in_process import TimedSite
from tests.support.network import NO_TLS

WELL_KNOWN = "/.well-known/oauth-protected-resource"


def an_api(site: Site, identifier: str, *scopes: str, name: str = "Notes") -> None:
    """An API resource of the tenant, with scopes."""
    api = ApiResourceId(new_id())
    resource = ApiResource(id=api, identifier=identifier, name=name)

    async def insert(database: object) -> None:
        async with database.transaction() as transaction:  # type: ignore[attr-defined]
            await api_resources.insert_api_resource(transaction, site.tenant.id, resource)
            for scope in scopes:
                await api_resources.insert_scope(transaction, site.tenant.id, ApiScope(name=scope, api=api))

    site.administer(lambda a: insert(a.database))


@pytest.mark.spec("RFC 9728", "3.2")
@pytest.mark.parametrize("tenant", ["root", "another"])
def test_our_own_interfaces(site: Site, tenant: str) -> None:
    prefix = "" if tenant == "root" else f"/t/{site.handle}"
    base = site.server.base_url + prefix
    response = httpx.get(f"{site.server.base_url}{WELL_KNOWN}{prefix}/oauth2/token", trust_env=False, verify=NO_TLS)
    assert response.headers["access-control-allow-origin"] == "*"
    document = response.json()
    assert document.pop("dpop_signing_alg_values_supported")[:2] == ["RS256", "ES256"]
    assert document == {
        "resource": f"{base}/oauth2/token",
        "authorization_servers": [f"{base}/oauth2/token"],
        "jwks_uri": f"{base}/oauth2/jwks",
        "scopes_supported": ["openid", "profile", "email", "address", "phone", "groups", "offline_access"],
        "bearer_methods_supported": ["header", "body"],
        "resource_name": "Identity Server",
        "tls_client_certificate_bound_access_tokens": False,
    }


@pytest.mark.spec("RFC 9728", "3.3")
def test_it_is_only_where_its_identifier_says(timed: TimedSite) -> None:
    root, prefix = timed.server.base_url, f"/t/{timed.handle}"
    assert timed.http.get(root + WELL_KNOWN + prefix).status_code == 404
    timed.change_settings(lambda settings: replace(settings, issuer=timed.base))
    timed.clock.advance(2)
    assert timed.http.get(root + WELL_KNOWN + prefix).json()["resource"] == timed.base
    assert timed.http.get(f"{root}{WELL_KNOWN}{prefix}/oauth2/token").status_code == 404


@pytest.mark.spec("RFC 9728", "5.1")
@pytest.mark.parametrize("path", ["/oauth2/userinfo", "/api/identity/oauth2/dcr/v1.1/register/x"])
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer nonsense"}])
def test_a_challenge_says_where_to_learn_more(site: Site, path: str, header: dict[str, str]) -> None:
    response = site.http.get(path, headers=header)
    assert response.status_code == 401
    place = f"{site.server.base_url}{WELL_KNOWN}/t/{site.handle}/oauth2/token"
    challenges = response.headers.get_list("www-authenticate")
    tokens = [challenge for challenge in challenges if challenge.startswith(("Bearer", "DPoP"))]
    assert tokens
    assert all(challenge.endswith(f', resource_metadata="{place}"') for challenge in tokens)
    assert httpx.get(place, trust_env=False).json()["authorization_servers"] == [site.issuer]


@pytest.mark.spec("RFC 9728", "2")
def test_the_document_of_an_api(site: Site) -> None:
    an_api(site, "https://notes.example/mcp", "notes:read", "notes:write")
    response = site.http.get("/oauth2/resource-metadata", params={"resource": "https://notes.example/mcp"})
    document = response.json()
    assert document["resource"] == "https://notes.example/mcp"
    assert document["authorization_servers"] == [site.issuer]
    assert document["scopes_supported"] == ["notes:read", "notes:write"]
    assert document["resource_name"] == "Notes"


@pytest.mark.parametrize(("resource", "status"), [(None, 400), ("https://other.example/", 404), ("notes", 404)])
def test_no_such_api(site: Site, resource: str | None, status: int) -> None:
    an_api(site, "notes")
    params = {"resource": resource} if resource else None
    assert site.http.get("/oauth2/resource-metadata", params=params).status_code == status
