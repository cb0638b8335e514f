"""Builders: a tenant for each test, with applications and people made through `identity.administration`.

`Site` is what a test holds. Its methods are the steps of a client: authorize, redeem, refresh, introspect.
"""

import base64
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from identity.administration import applications, tenants, users
from identity.administration.context import Administration
from identity.authn.people import People
from identity.clock import Clock
from identity.domain.applications import Application
from identity.domain.tenants import Tenant, TenantSettings
from identity.messaging.outbox import Outbox
from identity.secrets import Sealer
from identity.storage.configuration import Configuration, TenantConfiguration
from identity.storage.database import Database
from tests.support.browser import Browser, Page
from tests.support.network import NO_TLS
from tests.support.server import RunningServer
from userstores.passwords import PasswordLane
from userstores.spi import StoreUser

T = TypeVar("T")

CALLBACK = "https://app.example/cb"
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Pkce:
    """A code verifier and its S256 challenge (RFC 7636 §4)."""

    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    @property
    def parameters(self) -> dict[str, str]:
        return {"code_challenge": self.challenge, "code_challenge_method": "S256"}


@dataclass(frozen=True)
class Client:
    """An application as its owner knows it."""

    application: Application
    secret: str | None

    @property
    def client_id(self) -> str:
        return self.application.client_id

    @property
    def redirect_uri(self) -> str:
        return self.application.redirect_uris[0]

    @property
    def basic(self) -> tuple[str, str]:
        assert self.secret is not None
        return self.client_id, self.secret


@dataclass(frozen=True)
class Person:
    username: str
    password: str
    user: StoreUser


class Site:
    """One tenant of the running server. `base` is its address, `http` a client without cookies or redirects."""

    def __init__(self, server: RunningServer, handle: str, settings: TenantSettings) -> None:
        self.server = server
        self.handle = handle
        self.base = f"{server.base_url}/t/{handle}"
        self.http = httpx.Client(base_url=self.base, trust_env=False, verify=NO_TLS, timeout=30)
        self.tenant: Tenant = self.administer(lambda a: tenants.create_tenant(a, handle, settings=settings))

    def close(self) -> None:
        self.http.close()

    @property
    def issuer(self) -> str:
        return f"{self.base}/oauth2/token"

    def administer(self, work: Callable[[Administration], Awaitable[T]]) -> T:
        """Run an administrative function in this process, on the server's own database."""

        async def run(database: Database) -> T:
            administration = administration_of(self.server, database)
            try:
                return await work(administration)
            finally:
                await administration.people.close()

        return self.server.run(run)

    def in_tenant(self, work: Callable[[Administration, TenantConfiguration], Awaitable[T]]) -> T:
        async def run(administration: Administration) -> T:
            return await work(administration, await administration.tenant(self.handle))

        return self.administer(run)

    def change_settings(self, change: Callable[[TenantSettings], TenantSettings]) -> None:
        self.tenant = self.administer(lambda a: tenants.change_tenant_settings(a, self.handle, change))

    def application(self, name: str = "Sample", **settings: Any) -> Client:
        """An application; by default confidential, for codes and refresh tokens, with consent switched off."""
        values: dict[str, Any] = {
            "grant_types": ("authorization_code", "refresh_token"),
            "redirect_uris": (CALLBACK,),
            "skip_consent": True,
        }
        values |= settings
        registered = self.administer(lambda a: applications.create_application(a, self.tenant, name=name, **values))
        secret = None if registered.secret is None else str(registered.secret)
        return Client(registered.application, secret)

    def public_application(self, **settings: Any) -> Client:
        return self.application(token_endpoint_auth_method="none", **settings)

    def machine(self, **settings: Any) -> Client:
        """An application for client_credentials."""
        values: dict[str, Any] = {
            "grant_types": ("client_credentials",),
            "redirect_uris": (),
            "scopes": ("read", "write"),
        }
        return self.application("Machine", **(values | settings))

    def update(self, client: Client, **settings: Any) -> None:
        self.administer(lambda a: applications.update_application(a, self.tenant, client.client_id, settings))

    def person(
        self, username: str = "jane", password: str = PASSWORD, *, groups: tuple[str, ...] = (), **attributes: Any
    ) -> Person:
        """Somebody in the tenant's SQL store."""
        user = self.in_tenant(
            lambda a, t: users.create_user(a, t, username, password, attributes=attributes, groups=groups)
        )
        return Person(username, password, user)

    @cached_property
    def jane(self) -> Person:
        """A person with a few claims, made at first use."""
        return self.person("jane", name="Jane Doe", email="jane@example.org", groups=("staff",))

    # The steps of a client.

    def authorize_url(self, client: Client, **parameters: str | None) -> str:
        """An authorization request; None leaves a parameter out."""
        values: dict[str, str | None] = {
            "client_id": client.client_id,
            "response_type": "code",
            "redirect_uri": client.application.redirect_uris[0] if client.application.redirect_uris else None,
            "scope": "openid",
            "state": "the-state",
        }
        values |= parameters
        return f"{self.base}/oauth2/authorize?" + urlencode({k: v for k, v in values.items() if v is not None})

    def browser(self) -> Browser:
        return Browser(self.server.base_url)

    def sign_in(
        self, client: Client, person: Person, *, browser: Browser | None = None, **parameters: str | None
    ) -> Page:
        """From the authorization request through the login page to the redirect that leaves for the application."""
        page = (browser or self.browser()).get(self.authorize_url(client, **parameters))
        if page.has("login-submit"):
            page = page.submit("login-submit", username=person.username, password=person.password)
        return page

    def code(self, client: Client, person: Person, **parameters: str | None) -> str:
        return response_parameters(self.sign_in(client, person, browser=None, **parameters))["code"]

    def token(self, client: Client, **form: str) -> httpx.Response:
        """A token request with the client's own credentials."""
        if client.secret is None:
            return self.http.post("/oauth2/token", data={"client_id": client.client_id, **form})
        return self.http.post("/oauth2/token", data=form, auth=client.basic)

    def redeem(self, client: Client, code: str, **form: str) -> httpx.Response:
        return self.token(client, grant_type="authorization_code", code=code, redirect_uri=client.redirect_uri, **form)

    def tokens(self, client: Client, person: Person, **parameters: str | None) -> dict[str, Any]:
        """Sign in and redeem, with PKCE; the token response."""
        pkce = Pkce()
        with_pkce: dict[str, Any] = {**pkce.parameters, **parameters}
        code = self.code(client, person, **with_pkce)
        response = self.redeem(client, code, code_verifier=pkce.verifier)
        assert response.status_code == 200, response.text
        tokens: dict[str, Any] = response.json()
        return tokens

    def refresh(self, client: Client, refresh_token: str, **form: str) -> httpx.Response:
        return self.token(client, grant_type="refresh_token", refresh_token=refresh_token, **form)

    def machine_token(self, client: Client, **form: str) -> str:
        response = self.token(client, grant_type="client_credentials", **form)
        assert response.status_code == 200, response.text
        token: str = response.json()["access_token"]
        return token

    def introspect(self, client: Client, token: str) -> dict[str, Any]:
        response = self.http.post("/oauth2/introspect", data={"token": token}, auth=client.basic)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def is_active(self, client: Client, token: str) -> bool:
        return self.introspect(client, token) != {"active": False}

    def userinfo(self, token: str) -> httpx.Response:
        return self.http.get("/oauth2/userinfo", headers={"Authorization": f"Bearer {token}"})

    def events(self) -> list[Any]:
        """Every event of the tenant, oldest first."""
        from identity.storage.events import list_events_page

        return self.administer(lambda a: list_events_page(a.database, self.tenant.id, count=1000))


def response_parameters(page: Page) -> dict[str, str]:
    """The parameters of an authorization response that left by a redirect, query or fragment."""
    location = page.header("location")
    assert location is not None, f"no redirect: {page}"
    parts = urlsplit(location)
    return {name: values[0] for name, values in parse_qs(parts.fragment or parts.query).items()}


def claims_of(jwt: str) -> dict[str, Any]:
    """The payload of a JWT, unverified."""
    import json

    payload = jwt.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def administration_of(server: RunningServer, database: Database) -> Administration:
    clock = Clock()
    sealer = Sealer.from_master_keys(bytes.fromhex(server.master_key))
    lane = PasswordLane(1, 64)
    people = People(database, sealer, clock, lane)
    return Administration(database, Configuration(database, clock), people, sealer, clock, Outbox(sealer, clock))
