"""The composition root: the only place where parts are put together. Read `Server` from top to bottom."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from identity.account.account_pages import AccountPages
from identity.account.home_page import HomePage, StaticFiles
from identity.account.routes import account_routes
from identity.account.sign_in import AccountSignIn
from identity.administration.context import Administration
from identity.administration.keys import create_missing_keys
from identity.administration.master_key import load_sealer
from identity.administration.tenants import create_tenant
from identity.authn.authenticators.password import PasswordAuthenticator
from identity.authn.consent import Consents
from identity.authn.consent_pages import ConsentPages
from identity.authn.cookies import Cookies
from identity.authn.lockout import Lockout
from identity.authn.login_flow import LoginFlows
from identity.authn.login_pages import LoginPages
from identity.authn.people import People
from identity.authn.routes import authn_routes
from identity.authn.sso_sessions import SsoSessions
from identity.clock import Clock
from identity.config import Settings
from identity.demo import APP_PATH, DemoApplication, ensure_demo_data
from identity.domain.applications import GRANT_TYPES
from identity.domain.tenants import ROOT_HANDLE
from identity.jobs import Purge, publish_metrics
from identity.oauth2.authorization_endpoint import AuthorizationEndpoint
from identity.oauth2.authorization_response import AuthorizationResponses
from identity.oauth2.client_authentication import ClientAuthentication
from identity.oauth2.code_issuer import CodeIssuer
from identity.oauth2.family import Families
from identity.oauth2.grants.authorization_code import AuthorizationCodeGrant
from identity.oauth2.grants.client_credentials import ClientCredentials
from identity.oauth2.grants.refresh_token import RefreshTokenGrant
from identity.oauth2.introspection_endpoint import IntrospectionEndpoint
from identity.oauth2.metadata_endpoint import JwksEndpoint, MetadataEndpoint
from identity.oauth2.revocation_endpoint import RevocationEndpoint
from identity.oauth2.routes import oauth2_routes
from identity.oauth2.token_answer import GrantTokens
from identity.oauth2.token_endpoint import TokenEndpoint
from identity.oidc.logout_pages import LogoutPages
from identity.oidc.routes import oidc_routes
from identity.oidc.userinfo_endpoint import UserinfoEndpoint
from identity.operations import Operations
from identity.storage import tables, tenants
from identity.storage.configuration import Configuration
from identity.storage.database import Database
from identity.storage.events import recorded
from identity.storage.hot import open_hot_storage
from identity.storage.installation import check_master_key
from identity.storage.migrations import ensure_schema
from identity.storage.sqlite_writer import SqliteDatabase
from identity.telemetry import Metrics, Tracing, configure_logging, get_logger, warm_up
from identity.tokens.id_token import IdTokenIssuer
from identity.tokens.issuer import TokenIssuer
from identity.tokens.keyring import Keyring
from identity.tokens.reader import TokenReader
from identity.web.client_address import ClientAddress
from identity.web.cors import Cors
from identity.web.failures import Failures
from identity.web.http_protocol import refused
from identity.web.pages import PageResponses
from identity.web.rate_limits import RateLimits
from identity.web.routing import Permission, Route, Router
from identity.web.templates import Pages
from identity.web.theme import Theme
from userstores.passwords import PasswordLane
from userstores.registry import STORE_TYPES
from userstores.sql import tables as user_tables

METADATAS = (tables.metadata, user_tables.metadata)

ROUTE_NAMES = (
    "authorize", "authorize_resume", "token", "introspect", "revoke", "jwks", "openid_configuration",
    "oauth_authorization_server", "openid_configuration_8414", "oauth_authorization_server_8414",
    "openid_configuration_root", "oauth_authorization_server_root", "openid_configuration_alias", "userinfo", "logout",
    "logout_confirm", "login", "login_submit", "consent", "consent_submit", "home", "static", "account",
    "account_submit", "account_sign_in", "account_sign_in_done", "live", "ready", "metrics", "demo_app",
    "demo_introspect",
)  # fmt: skip
"""The closed label set of the request metrics; a test compares it with the path table."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def open_database(settings: Settings) -> Database:
    """The database of the settings, not opened yet."""
    if settings.database_url is None:
        return SqliteDatabase(settings.database_file)
    from identity.storage.postgresql import PostgresqlDatabase

    return PostgresqlDatabase(settings.database_url.get_secret_value())


@dataclass(frozen=True, slots=True)
class Foundation:
    """What the server and the command line both stand on."""

    settings: Settings
    database: Database
    administration: Administration
    lane: PasswordLane

    @classmethod
    def build(cls, settings: Settings, clock: Clock | None = None) -> "Foundation":
        clock = clock or Clock()
        sealer, _ = load_sealer(settings)
        database = open_database(settings)
        lane = PasswordLane(settings.hash_threads, settings.hash_queue)
        configuration = Configuration(database, clock)
        people = People(database, sealer, clock, lane)
        return cls(settings, database, Administration(database, configuration, people, sealer, clock), lane)

    async def open(self) -> None:
        await self.database.open()

    async def close(self) -> None:
        await self.administration.people.close()
        await self.database.close()
        self.lane.close()


async def prepare(settings: Settings, base_url: str, report: Callable[[str], None]) -> None:
    """Everything a start needs before the first worker: schema, master key, root tenant with keys, demo data."""
    _, notice = load_sealer(settings)
    if notice:
        report(notice)
    await ensure_schema(settings, METADATAS, report)
    foundation = Foundation.build(settings)
    await foundation.open()
    try:
        administration = foundation.administration
        await check_master_key(foundation.database, administration.sealer)
        root = await tenants.find_tenant(foundation.database, ROOT_HANDLE)
        if root is None:
            await create_tenant(administration, ROOT_HANDLE)
        else:
            await create_missing_keys(administration, root)
        if settings.demo:
            await ensure_demo_data(administration, settings, base_url)
    finally:
        await foundation.close()


class Server:
    """One worker's server. `app` is the ASGI application."""

    def __init__(
        self, settings: Settings, base_url: str, *, clock: Clock | None = None, metrics_directory: Path | None = None
    ) -> None:
        self.clock = clock = clock or Clock()
        self.settings = settings
        self.base_url = base_url
        self.log = get_logger("identity")
        self.foundation = foundation = Foundation.build(settings, clock)
        self.administration = administration = foundation.administration
        self.database = database = foundation.database
        self.sealer, self.people = administration.sealer, administration.people
        self.configuration = administration.configuration
        self.hot = open_hot_storage(database, clock)
        self.keyring = Keyring(self.sealer, clock)
        self.tracing = Tracing(settings.otlp_endpoint, settings.trace_sample_ratio)
        self.metrics = self._metrics(metrics_directory)

        self.theme = Theme()
        templates = Pages(theme=self.theme, demo=settings.demo)
        self.pages = PageResponses(templates, base_url=base_url, form_key=self.sealer.derive("form"))
        self.cookies = Cookies(plain=settings.demo and base_url.startswith("http:"))
        self.sessions = SsoSessions(database, self.cookies, clock)
        self.consents = Consents(database, clock)
        authenticator = PasswordAuthenticator(self.people, Lockout(database, clock), database, self.metrics)
        self.flows = LoginFlows(database, self.sessions, authenticator, self.cookies, self.metrics, clock)
        self.reader = TokenReader(self.hot, self.configuration, self.keyring, base_url, clock)

        self._purge = Purge(database, self.metrics.purge_backlog, self.log, clock)
        self._tasks: list[asyncio.Task[None]] = []
        self.app = Router(
            [
                *self._sign_in_routes(),
                *self._oauth2_routes(),
                *self._oidc_routes(),
                *self._account_routes(),
                *_operation_routes(Operations(database, self.metrics, settings.metrics_from)),
            ],
            configuration=self.configuration,
            failures=Failures(templates, self.log, base_url=base_url),
            cors=Cors(database),
            addresses=ClientAddress(settings.trusted_proxies),
            base_url=base_url,
            hosts=_hosts(base_url),
            metrics=self.metrics,
            tracing=self.tracing,
            clock=clock,
            lifespan=self._lifespan,
        )

    def _metrics(self, directory: Path | None) -> Metrics:
        metrics = Metrics(
            ROUTE_NAMES,
            grant_types=GRANT_TYPES,
            store_types=tuple(STORE_TYPES),
            directory=directory,
        )
        counters, lane = self.hot.counters, self.foundation.lane
        metrics.watch("heads_refused", "Requests refused by their head", _refused_heads,
                      label="status", kind="counter")  # fmt: skip
        metrics.watch("token_road_storage", "Work of the token road's database connections", lambda: asdict(counters),
                      label="what", kind="counter")  # fmt: skip
        metrics.watch("password_hashes_waiting", "Passwords that wait for a hash", lambda: lane.waiting)
        metrics.watch("events_recorded", "Events written, by type", lambda: dict(recorded),
                      label="type", kind="counter")  # fmt: skip
        metrics.watch("user_store_circuit_open", "1 while a user store is not asked because it did not answer",
                      self.people.open_circuits, label="store", combine="max")  # fmt: skip
        return metrics

    def _sign_in_routes(self) -> list[Route]:
        return authn_routes(
            login=LoginPages(self.flows, self.sessions, self.database, self.cookies, self.pages),
            consent=ConsentPages(self.flows, self.consents, self.people, self.database, self.pages),
        )

    def _oauth2_routes(self) -> list[Route]:
        hot, clock, database, base_url = self.hot, self.clock, self.database, self.base_url
        limits = RateLimits(self.settings.workers, clock)
        clients = ClientAuthentication(self.configuration, self.sealer, limits, self.metrics, clock)
        issuer = TokenIssuer(self.keyring, base_url, clock)
        granted = GrantTokens(issuer, IdTokenIssuer(self.keyring, base_url, clock), self.sealer)
        families = Families(database, clock)
        token = TokenEndpoint(
            clients,
            [
                AuthorizationCodeGrant(hot, granted, families, clock),
                RefreshTokenGrant(hot, granted, families, self.people, clock),
                ClientCredentials(issuer, hot),
            ],
            self.metrics,
        )
        introspect = IntrospectionEndpoint(clients, self.reader, self.configuration, hot, families, self.metrics, clock)
        routes = oauth2_routes(
            authorize=AuthorizationEndpoint(
                configuration=self.configuration,
                sessions=self.sessions,
                flows=self.flows,
                codes=CodeIssuer(database, self.consents, self.people, self.sealer, clock),
                responses=AuthorizationResponses(self.pages, base_url),
                keyring=self.keyring,
                cookies=self.cookies,
                database=database,
                base_url=base_url,
                clock=clock,
            ),
            token=token,
            introspect=introspect,
            revoke=RevocationEndpoint(clients, self.reader, database, clock),
            metadata=MetadataEndpoint(self.keyring, base_url, token.grant_types),
            jwks=JwksEndpoint(self.keyring),
        )
        if self.settings.demo:
            routes += DemoApplication(self.administration, introspect, self.pages, base_url).routes()
        return routes

    def _oidc_routes(self) -> list[Route]:
        return oidc_routes(
            userinfo=UserinfoEndpoint(
                self.reader, self.configuration, self.people, self.database, self.sealer, self.base_url
            ),
            logout=LogoutPages(
                self.configuration, self.sessions, self.keyring, self.cookies, self.database, self.pages,
                self.base_url,
            ),
        )  # fmt: skip

    def _account_routes(self) -> list[Route]:
        return account_routes(
            account=AccountPages(self.sessions, self.consents, self.cookies, self.database, self.pages, self.clock),
            sign_in=AccountSignIn(self.flows, self.cookies, self.database, self.clock),
            home=HomePage(self.pages, self.base_url, self._demo),
            static=StaticFiles(self.theme),
        )

    def _demo(self) -> dict[str, Any] | None:
        if not self.settings.demo:
            return None
        document = json.loads((self.settings.data / "demo.json").read_text())
        return {"app_path": APP_PATH, "users": document["users"], "applications": document["applications"]}

    async def startup(self) -> None:
        configure_logging(self.settings)
        await self.foundation.open()
        await self.hot.open()
        self._tasks = [
            asyncio.create_task(self._purge.run()),
            asyncio.create_task(publish_metrics(self.metrics)),
            asyncio.create_task(asyncio.to_thread(warm_up)),
        ]

    async def shutdown(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.hot.close()
        await self.foundation.close()
        self.tracing.shutdown()

    async def _lifespan(self, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        await receive()
        try:
            await self.startup()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.shutdown()
        await send({"type": "lifespan.shutdown.complete"})


def create_app(settings: Settings, base_url: str, metrics_directory: Path | None = None) -> Router:
    """What a worker process runs."""
    return Server(settings, base_url, metrics_directory=metrics_directory).app


def _refused_heads() -> dict[str, int]:
    return {str(status): count for status, count in refused.items()}


def _operation_routes(operations: Operations) -> list[Route]:
    operator = Permission.OPERATOR
    return [
        Route(name="live", methods=("GET",), path="/health/live", endpoint=operations.live,
              permission=Permission.PUBLIC, any_host=True, summary="The process answers"),
        Route(name="ready", methods=("GET",), path="/health/ready", endpoint=operations.ready,
              permission=Permission.PUBLIC, any_host=True, summary="The database answers too"),
        Route(name="metrics", methods=("GET",), path="/metrics", endpoint=operations.metrics, permission=operator,
              any_host=True, summary="Prometheus metrics, for loopback"),
    ]  # fmt: skip


def _hosts(base_url: str) -> frozenset[bytes]:
    """The Host values we answer for: the base address's, and on loopback its other names."""
    parts = urlsplit(base_url)
    names = {parts.netloc}
    if parts.hostname in LOOPBACK:
        port = f":{parts.port}" if parts.port else ""
        names |= {f"localhost{port}", f"127.0.0.1{port}", f"[::1]{port}"}
    elif parts.port is None:
        names.add(f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}")
    return frozenset(name.encode() for name in names)
