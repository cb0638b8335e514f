"""An MCP client meets an MCP server it knows nothing about: RFC 9728, RFC 8414, RFC 7591, PKCE, RFC 8707, RFC 9068.

The client below is written from those documents and the authorization chapter of the MCP specification alone: it gets
the address of the resource, and nothing else.
"""

import secrets
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from identity.domain.api_resources import ApiResource, ApiResourceId
from identity.domain.tenants import TenantSettings
from identity.ids import new_id
from identity.storage import api_resources
from identity.tokens.public_keys import PublicKeys
from tests.support.authority import Authority, server_context
from tests.support.builders import Pkce, Site
from tests.support.receiver import Received, Receiver, Reply
from tests.support.server import Engine, RunningServer, start_server

REDIRECT = "http://127.0.0.1:33418/callback"


class McpServer(Receiver):
    """A resource server: it takes JWT access tokens of its authorization server, for itself and for nobody else."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(tls)
        self.resource = self.url("/mcp")
        self.metadata: dict[str, Any] = {}

    def _keep(self, request: Received) -> Reply:
        if request.path != "/mcp":
            return super()._keep(request)
        place = self.url("/.well-known/oauth-protected-resource/mcp")
        refused = Reply(401, "", (("www-authenticate", f'Bearer resource_metadata="{place}"'),))
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return Reply.json({"tools": []}) if scheme == "Bearer" and self._is_mine(token) else refused

    def _is_mine(self, token: str) -> bool:
        if token.count(".") != 2:
            return False
        server = self.metadata["authorization_servers"][0]
        document = httpx.get(_well_known(server, "oauth-authorization-server"), trust_env=False).json()
        keys = PublicKeys(httpx.get(document["jwks_uri"], trust_env=False).json())
        _, claims = keys.verify(token, frozenset({"RS256"}), frozenset({"at+jwt"}))
        return bool(claims["iss"] == server and claims["aud"] == self.resource)


def _well_known(identifier: str, name: str) -> str:
    """RFC 8414 §3.1, RFC 9728 §3.1: the well-known part goes between host and path."""
    parts = urlsplit(identifier)
    return f"{parts.scheme}://{parts.netloc}/.well-known/{name}{parts.path}"


@dataclass
class McpClient:
    """`client_id` is given when the client has an address for its metadata; else it registers."""

    site: Site
    trusted: ssl.SSLContext
    client_id: str | None = None

    def call(self, resource: str, token: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.get(resource, headers=headers, verify=self.trusted, trust_env=False)

    def discover(self, resource: str) -> dict[str, Any]:
        """From the 401 to the authorization server's metadata."""
        challenge = self.call(resource).headers["www-authenticate"]
        place = challenge.partition('resource_metadata="')[2].partition('"')[0]
        protected = httpx.get(place, verify=self.trusted, trust_env=False).json()
        # RFC 9728 §3.3
        assert protected["resource"] == resource
        server = protected["authorization_servers"][0]
        metadata: dict[str, Any] = httpx.get(_well_known(server, "oauth-authorization-server"), trust_env=False).json()
        # RFC 8414 §3.3; MCP: refuse to go on without PKCE
        assert metadata["issuer"] == server
        assert "S256" in metadata["code_challenge_methods_supported"]
        return metadata

    def identify(self, metadata: dict[str, Any]) -> str:
        if self.client_id is not None:
            assert metadata["client_id_metadata_document_supported"] is True
            return self.client_id
        document = {
            "client_name": "Inspector",
            "redirect_uris": [REDIRECT],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }
        answer = httpx.post(metadata["registration_endpoint"], json=document, trust_env=False)
        assert answer.status_code == 201, answer.text
        registered: str = answer.json()["client_id"]
        return registered

    def token(self, resource: str) -> dict[str, Any]:
        metadata = self.discover(resource)
        client_id, pkce, state = self.identify(metadata), Pkce(), secrets.token_urlsafe(8)
        request = {
            "response_type": "code", "client_id": client_id, "redirect_uri": REDIRECT, "state": state,
            "scope": "openid offline_access", "resource": resource, **pkce.parameters,
        }  # fmt: skip
        page = self.site.browser().get(f"{metadata['authorization_endpoint']}?{urlencode(request)}")
        person = self.site.jane
        page = page.submit("login-submit", username=person.username, password=person.password)
        page = page.submit("consent-allow")
        answer = {name: values[0] for name, values in parse_qs(urlsplit(page.header("location") or "").query).items()}
        # RFC 9207
        assert (answer["state"], answer["iss"]) == (state, metadata["issuer"])
        form = {
            "grant_type": "authorization_code", "code": answer["code"], "redirect_uri": REDIRECT,
            "client_id": client_id, "code_verifier": pkce.verifier, "resource": resource,
        }  # fmt: skip
        response = httpx.post(metadata["token_endpoint"], data=form, trust_env=False)
        assert response.status_code == 200, response.text
        tokens: dict[str, Any] = response.json()
        return tokens


@pytest.fixture(scope="module")
def world(
    engine: Engine, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningServer, McpServer, ssl.SSLContext]]:
    folder = tmp_path_factory.mktemp("mcp")
    authority = Authority()
    certificates = folder / "authority.pem"
    certificates.write_bytes(authority.certificate)
    mcp = McpServer(server_context(folder, authority.issue()))
    server = start_server(engine, request, folder, outbound_ca_file=str(certificates))
    try:
        yield server, mcp, ssl.create_default_context(cafile=str(certificates))
    finally:
        server.stop()
        mcp.close()


@pytest.fixture
def mcp(world: tuple[RunningServer, McpServer, ssl.SSLContext]) -> McpServer:
    return world[1]


@pytest.fixture
def site(world: tuple[RunningServer, McpServer, ssl.SSLContext], mcp: McpServer) -> Iterator[Site]:
    """A tenant where the MCP server is registered as an API resource, and serves the document that is made for it."""
    settings = TenantSettings(registration="open", client_id_metadata_documents=True)
    made = Site(world[0], f"t{secrets.token_hex(6)}", settings)
    resource = ApiResource(id=ApiResourceId(new_id()), identifier=mcp.resource, name="Tools", type="MCP")

    async def insert(database: Any) -> None:
        async with database.transaction() as transaction:
            await api_resources.insert_api_resource(transaction, made.tenant.id, resource)

    made.administer(lambda a: insert(a.database))
    mcp.metadata = made.http.get("/oauth2/resource-metadata", params={"resource": mcp.resource}).json()
    mcp.answer("/.well-known/oauth-protected-resource/mcp", Reply.json(mcp.metadata))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def trusted(world: tuple[RunningServer, McpServer, ssl.SSLContext]) -> ssl.SSLContext:
    return world[2]


@pytest.mark.spec("RFC 9728", "5")
@pytest.mark.spec("RFC 8707", "2")
@pytest.mark.parametrize("documented", [False, True], ids=["registers itself", "has an address"])
def test_a_client_gets_to_its_tools(site: Site, mcp: McpServer, trusted: ssl.SSLContext, documented: bool) -> None:
    client_id = None
    if documented:
        path = f"/{site.handle}/client.json"
        document = {
            "client_id": mcp.url(path), "client_name": "Inspector", "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"],
        }  # fmt: skip
        client_id = mcp.answer(path, Reply.json(document))
    client = McpClient(site, trusted, client_id)
    assert client.call(mcp.resource).status_code == 401
    got = client.token(mcp.resource)
    assert got["refresh_token"]
    assert client.call(mcp.resource, got["access_token"]).json() == {"tools": []}


def test_a_token_for_another_resource_opens_nothing(site: Site, mcp: McpServer, trusted: ssl.SSLContext) -> None:
    """Decision 4: a token without `resource` is for the client, not for the MCP server; and the other way round."""
    client = McpClient(site, trusted)
    got = client.token(mcp.resource)
    assert site.userinfo(got["access_token"]).status_code in (401, 403)
    own = site.application(access_token_type="jwt")
    assert client.call(mcp.resource, site.tokens(own, site.jane)["access_token"]).status_code == 401
    assert client.call(mcp.resource, got["access_token"]).status_code == 200
