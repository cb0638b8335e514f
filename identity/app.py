"""The composition root: the only place where parts are put together. Read `Server` from top to bottom."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from adaptive_auth.lane import Unavailable as ScriptsUnavailable
from identity.administration.context import Administration
from identity.administration.directory_check import DirectoryCheck
from identity.administration.keys import create_missing_keys
from identity.administration.master_key import load_sealer
from identity.administration.tenants import create_tenant
from identity.authn.people import People
from identity.clock import Clock
from identity.config import Settings
from identity.demo import ensure_demo_data
from identity.domain.tenants import ROOT_HANDLE
from identity.jobs import Deliveries, Purge, publish_metrics
from identity.messaging.courier import Courier
from identity.messaging.mail import CAPTURED
from identity.messaging.outbox import Outbox
from identity.operations import Operations
from identity.storage import authorization_tables, sign_in_tables, tables, tenants
from identity.storage.configuration import Configuration
from identity.storage.database import Database
from identity.storage.installation import check_master_key
from identity.storage.migrations import ensure_schema
from identity.storage.scripts import any_bundle
from identity.storage.sqlite_writer import SqliteDatabase
from identity.telemetry import Tracing, configure_logging, warm_up
from identity.tokens.addresses import resource_metadata_of
from identity.web.client_address import ClientAddress
from identity.web.client_certificate import ClientCertificates
from identity.web.cors import Cors
from identity.web.failures import Failures
from identity.web.routing import Permission, Route, Router
from identity.wiring.devices import decision_routes
from identity.wiring.gateway import key_manager_routes
from identity.wiring.oauth2 import token_road_routes
from identity.wiring.oidc import openid_connect_routes
from identity.wiring.parts import build_parts
from identity.wiring.registration import application_registration_routes, discovery_routes_of
from identity.wiring.sign_in import account_page_routes, own_account_api_routes, sign_in_routes
from userstores.passwords import PasswordLane
from userstores.sql import tables as user_tables

METADATAS = (tables.metadata, authorization_tables.metadata, sign_in_tables.metadata, user_tables.metadata)

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
        outbox = Outbox(sealer, clock)
        return cls(settings, database, Administration(database, configuration, people, sealer, clock, outbox), lane)

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
        self.settings = settings
        self.base_url = base_url
        self.foundation = foundation = Foundation.build(settings, clock)
        self.parts = parts = build_parts(
            settings, base_url, foundation.administration, foundation.lane, metrics_directory
        )
        self.tracing = Tracing(settings.otlp_endpoint, settings.trace_sample_ratio)
        self._purge = Purge(parts.database, parts.metrics.purge_backlog, parts.log, parts.clock)
        self.courier = Courier(parts.outbox, parts.outbound, parts.database, parts.metrics, parts.log)
        self._directories = DirectoryCheck(foundation.administration, parts.log)
        self._deliveries = Deliveries(parts.outbox, self.courier, parts.log)
        self._tasks: list[asyncio.Task[None]] = []
        addresses = ClientAddress(settings.trusted_proxies)
        self.app = Router(
            [
                *sign_in_routes(parts),
                *token_road_routes(parts),
                *decision_routes(parts),
                *openid_connect_routes(parts),
                *application_registration_routes(parts),
                *discovery_routes_of(parts),
                *key_manager_routes(parts),
                *account_page_routes(parts),
                *own_account_api_routes(parts),
                *_operation_routes(
                    Operations(parts.database, parts.sign_in.runner, parts.metrics, settings.metrics_from)
                ),
            ],
            configuration=parts.configuration,
            failures=Failures(parts.templates, parts.log, base_url=base_url),
            cors=Cors(parts.database),
            addresses=addresses,
            certificates=ClientCertificates(addresses, believe_headers=settings.proxy_client_certificates),
            resource_metadata=partial(resource_metadata_of, base_url),
            dpop_nonce=parts.proofs.nonces.current,
            base_url=base_url,
            hosts=_hosts(base_url) | (_hosts(settings.mtls_base_url) if settings.mtls_base_url else frozenset()),
            metrics=parts.metrics,
            tracing=self.tracing,
            clock=parts.clock,
            lifespan=self._lifespan,
        )
        parts.metrics.declare_routes(route.name for route in self.app.routes)

    async def startup(self) -> None:
        configure_logging(self.settings)
        await self.foundation.open()
        await self.parts.hot.open()
        if self.settings.smtp_host is None:
            self.parts.log.info(CAPTURED)
        self._tasks = [
            asyncio.create_task(self._purge.run()),
            asyncio.create_task(self._deliveries.run()),
            asyncio.create_task(self._directories.run()),
            asyncio.create_task(publish_metrics(self.parts.metrics)),
            asyncio.create_task(asyncio.to_thread(warm_up)),
            asyncio.create_task(self._open_scripts()),
        ]

    async def _open_scripts(self) -> None:
        """Where there are scripts, the engine is opened before the first sign-in needs it."""
        with suppress(ScriptsUnavailable):
            if await any_bundle(self.parts.database):
                await self.parts.sign_in.runner.lane.open()

    async def shutdown(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.parts.sign_in.shadow.stop()
        self.parts.sign_in.trials.close()
        await self.parts.sign_in.runner.lane.aclose()
        self.parts.outbound.close()
        await self.parts.hot.close()
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
