"""An installation to measure: a real `identity serve` with everything on, and the clients, people and tokens for it."""

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from identity.administration import applications, tenants, users
from identity.administration.context import Administration
from identity.administration.registration_tokens import MAXIMUM_USES, create_initial_access_token
from identity.clock import SECOND
from identity.domain.applications import DEVICE_CODE, Application, ApplicationId
from identity.domain.grants import Grant, GrantId
from identity.domain.registration import ANYBODY
from identity.domain.sessions import SessionId
from identity.domain.tenants import ROOT_HANDLE, RateLimit
from identity.domain.tokens import NewToken
from identity.ids import new_id, new_secret
from identity.secrets import token_hash
from identity.storage import grants, subjects
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.storage.hot import open_hot_storage
from identity.tokens.claims import seal_claims
from tests.bench.machine import SERVER_CORE, on_core
from tests.bench.proofs import new_key, public_jwk
from tests.bench.scripted import CALLBACK, ONE_STEP, STEPS, TWO_STEPS, AppHolders, keep_script
from tests.bench.wire import Http
from tests.support.builders import administration_of, claims_of
from tests.support.server import Engine, RunningServer

T = TypeVar("T")

PASSWORD = "correct horse battery"
PEOPLE = 50
ROTATION = 5000
JWTS = 1000
_FAR_ABOVE_THE_LOAD = RateLimit(count=100_000_000, seconds=60)


@dataclass(frozen=True)
class Client:
    application: Application
    secret: str

    @property
    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.application.client_id}:{self.secret}".encode()).decode()


class Installation:
    """`web` signs people in, `scripted` by a script; `opaque`, `es256` and `rs256` are machines by the
    kind of token they get."""

    def __init__(self, engine: Engine, data: Path, database_url: str | None, **settings: str) -> None:
        self.engine = engine
        self.server = RunningServer(engine, data, database_url=database_url, **settings)
        self.clients: dict[str, Client] = {}
        self.key = new_key()
        """Of the clients that sign: proofs and assertions."""
        self.machine_tokens: list[str] = []
        self.person_tokens: list[str] = []
        self.jwts: dict[str, list[str]] = {}
        """JWT access tokens by the client that got them."""
        self.device_codes: list[str] = []
        self.holders = AppHolders()
        self.initial_token = ""
        """Registers applications."""

    def start(self) -> float:
        """Start the server on its core; seconds from the command to its first answer."""
        begun = time.perf_counter()
        with on_core(SERVER_CORE):
            self.server.start()
        asyncio.run(self._discover())
        return time.perf_counter() - begun

    async def _discover(self) -> None:
        async with Http(self.server.base_url) as http:
            answer = await http.request("GET", "/oauth2/token/.well-known/openid-configuration")
        assert answer.status == 200, answer

    def stop(self) -> None:
        self.server.stop()

    def fill(self) -> None:
        """Limits, clients, people."""
        self.administer(self._set_limits)
        web: dict[str, Any] = {
            "grant_types": ("authorization_code", "refresh_token"), "redirect_uris": (CALLBACK,), "skip_consent": True,
        }  # fmt: skip
        machine: dict[str, Any] = {"grant_types": ("client_credentials",), "scopes": ("read", "write")}
        self.clients = {
            "web": self._client(**web),
            "scripted": self._client(sign_in_steps=STEPS[:1], sign_in_script=self._script(ONE_STEP), **web),
            "scripted, 2 factors": self._client(sign_in_steps=STEPS, sign_in_script=self._script(TWO_STEPS), **web),
            "opaque": self._client(**machine),
            "es256": self._client(access_token_type="jwt", access_token_algorithm="ES256", **machine),
            "rs256": self._client(access_token_type="jwt", access_token_algorithm="RS256", **machine),
            "assertion": self._client(
                token_endpoint_auth_method="private_key_jwt",
                jwks=json.dumps({"keys": [public_jwk(self.key)]}),
                **machine,
            ),
            "device": self._client(grant_types=(DEVICE_CODE,)),
        }
        self.administer(self._make_people)
        self.administer(lambda a: self.holders.make(a, PASSWORD))
        self.initial_token = self.administer(self._make_initial_token)

    def fill_tokens(self, id_token: str) -> None:
        """5,000 tokens of a machine and 5,000 of a person, each with a grant of its own, bound to the session that
        `id_token` came from."""
        named = claims_of(id_token)
        self.administer(lambda a: self._make_tokens(a, named["sub"], named["sid"]))
        asyncio.run(self._ask_for_more())

    async def _ask_for_more(self) -> None:
        """JWTs and device codes, from the server itself."""
        form = {"grant_type": "client_credentials", "scope": "read"}
        async with Http(self.server.base_url) as http:
            for name in ("es256", "rs256"):
                self.jwts[name] = [await self._asked(http, name, "/oauth2/token", form, "access_token")
                                   for _ in range(JWTS)]  # fmt: skip
            self.device_codes = [await self._asked(http, "device", "/oauth2/device_authorize", {}, "device_code")
                                 for _ in range(ROTATION)]  # fmt: skip

    async def _asked(self, http: Http, client: str, path: str, form: dict[str, str], member: str) -> str:
        answer = await http.request("POST", path, form, Authorization=self.clients[client].basic)
        assert answer.status == 200, answer
        return str(json.loads(answer.body)[member])

    def administer(self, work: Callable[[Administration], Awaitable[T]]) -> T:
        async def run(database: Database) -> T:
            administration = administration_of(self.server, database)
            try:
                return await work(administration)
            finally:
                await administration.people.close()

        return self.server.run(run, 120)

    async def _set_limits(self, administration: Administration) -> None:
        await tenants.change_tenant_settings(
            administration,
            ROOT_HANDLE,
            lambda settings: replace(
                settings,
                token_limit_client=_FAR_ABOVE_THE_LOAD,
                login_limit_address=_FAR_ABOVE_THE_LOAD,
                login_limit_tenant=_FAR_ABOVE_THE_LOAD,
                lockout_attempts=1_000_000,
                device_interval=1,
            ),
        )

    def _client(self, **settings: Any) -> Client:
        async def make(administration: Administration) -> Client:
            tenant = await tenants.require_tenant(administration, ROOT_HANDLE)
            made = await applications.create_application(administration, tenant, name="Bench", **settings)
            return Client(made.application, str(made.secret or ""))

        return self.administer(make)

    def _script(self, source: str) -> str:
        """The hash of a script in the tenant."""

        async def keep(administration: Administration) -> str:
            return await keep_script(administration, await tenants.require_tenant(administration, ROOT_HANDLE), source)

        return self.administer(keep)

    async def _make_initial_token(self, administration: Administration) -> str:
        tenant = await tenants.require_tenant(administration, ROOT_HANDLE)
        token = await create_initial_access_token(administration, tenant, ANYBODY, uses=MAXIMUM_USES, lifetime=86400)
        return str(token)

    async def _make_people(self, administration: Administration) -> None:
        tenant = await administration.tenant(ROOT_HANDLE)
        for number in range(PEOPLE):
            attributes = {"name": f"Person {number}", "email": f"person{number}@example.org"}
            await users.create_user(administration, tenant, f"person{number}", PASSWORD, attributes=attributes)

    async def _make_tokens(self, administration: Administration, subject: str, session: str) -> None:
        tenant = await administration.tenant(ROOT_HANDLE)
        rows = [self._row(administration, tenant, "opaque") for _ in range(ROTATION)]
        made = await self._make_grants(administration, tenant, subject, session)
        rows += [self._row(administration, tenant, "web", grant) for grant in made]
        hot = open_hot_storage(administration.database)
        await hot.open()
        try:
            stored = await asyncio.gather(*(hot.issue(row) for _, row in rows))
        finally:
            await hot.close()
        assert all(stored)
        self.machine_tokens = [token for token, _ in rows[:ROTATION]]
        self.person_tokens = [token for token, _ in rows[ROTATION:]]

    def _row(
        self, administration: Administration, tenant: TenantConfiguration, name: str, grant: str = ""
    ) -> tuple[str, NewToken]:
        application = self.clients[name].application
        now = administration.clock.now()
        token = "at_" + new_secret()
        return token, NewToken(
            tenant.id, token_hash(token), application.id, grant, "openid profile email" if grant else "read",
            application.client_id, now, now + 3600 * SECOND, application.version, tenant.tenant.version,
        )  # fmt: skip

    async def _make_grants(
        self, administration: Administration, tenant: TenantConfiguration, subject_id: str, session: str
    ) -> list[str]:
        subject = await subjects.find_subject(administration.database, tenant.id, subject_id)
        assert subject is not None
        person = await administration.people.current(tenant, subject)
        assert person is not None
        now = administration.clock.now()
        made: list[str] = []
        async with administration.database.transaction() as transaction:
            for _ in range(ROTATION):
                grant = GrantId(new_id())
                made.append(grant)
                await grants.insert_grant(
                    transaction,
                    Grant(
                        tenant=tenant.id, id=grant, application=ApplicationId(self.clients["web"].application.id),
                        subject=subject.id, session=SessionId(session), session_bound=True,
                        scope="openid profile email", claims=seal_claims(administration.sealer, person.claims, grant),
                        subject_version=subject.version, subject_epoch=subject.epoch, requested_claims="",
                        auth_time=now, acr="1", amr="pwd", nonce=None, created_at=now, expires_at=now + 86400 * SECOND,
                    ),
                )  # fmt: skip
        return made
