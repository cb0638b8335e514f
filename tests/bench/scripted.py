"""Applications whose sign-in a script decides, for the cells; and tenants whose scripts never end."""

import secrets
import time
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pyotp

from adaptive_auth.script import Script
from identity.administration import applications, tenants, users
from identity.administration.context import Administration
from identity.authn.authenticators import BASIC, TOTP
from identity.authn.enrolled_factors import factor_context
from identity.domain.enrolled_factors import EnrolledFactor, FactorId
from identity.domain.tenants import ROOT_HANDLE, SignInStep, Tenant
from identity.ids import new_id
from identity.storage import subjects
from identity.storage.configuration import TenantConfiguration
from identity.storage.enrolled_factors import insert_factor
from identity.storage.scripts import insert_bundle
from tests.bench.wire import Http, Surprise
from userstores.spi import StoreUser

if TYPE_CHECKING:
    from tests.bench.installation import Installation

STEPS = (SignInStep(authenticators=(BASIC,)), SignInStep(authenticators=(TOTP,)))
CALLBACK = "https://app.example/cb"
_AFTER_PASSWORD = """
var onLoginRequest = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            var user = context.currentKnownSubject;
            var privileged = hasAnyOfTheRolesV2(context, ['admin', 'manager']);
            var mail = user.localClaims['http://wso2.org/claims/emailaddress'];
            context.response.headers['X-Signed-In'] = privileged ? 'privileged' : 'plain';
            Log.info(user.username + ' <' + mail + '> from ' + context.request.ip);
            %s
        }
    });
};
"""
ONE_STEP = _AFTER_PASSWORD % ""
"""The role and the claim are looked up, so a sign-in runs the script four times."""
TWO_STEPS = _AFTER_PASSWORD % "executeStep(2);"
LOOP = "var onLoginRequest = function (context) { for (;;) {} };"


async def keep_script(administration: Administration, tenant: Tenant, source: str) -> str:
    """Its hash."""
    script = Script(source)
    now = administration.clock.now()
    async with administration.database.transaction() as transaction:
        await insert_bundle(transaction, tenant.id, script.hash, script.to_json(), now)
    return script.hash


@dataclass
class AppHolders:
    """People with an authenticator app. A code is taken once, so each signs in three times in half a minute at most."""

    NUMBER = 150
    secrets: list[str] = field(default_factory=list)
    _used: dict[int, int] = field(default_factory=dict)
    _turn: "count[int]" = field(default_factory=count)

    async def make(self, administration: Administration, password: str) -> None:
        tenant = await administration.tenant(ROOT_HANDLE)
        for number in range(self.NUMBER):
            name = f"holder{number}"
            made = await users.create_user(administration, tenant, name, password,
                                           attributes={"email": f"{name}@example.org"})  # fmt: skip
            secret = pyotp.random_base32()
            await _enrol(administration, tenant, made, secret)
            self.secrets.append(secret)

    def next(self) -> tuple[str, int]:
        """A name, and the number to ask for a code with."""
        number = next(self._turn) % self.NUMBER
        return f"holder{number}", number

    def code(self, number: int) -> str:
        """Of the earliest time step that was not used yet."""
        present = int(time.time()) // 30
        step = max(self._used.get(number, 0) + 1, present - 1)
        if step > present + 1:
            raise Surprise("no code is left: more people are needed")
        self._used[number] = step
        return pyotp.TOTP(self.secrets[number]).generate_otp(step)


async def _enrol(administration: Administration, tenant: TenantConfiguration, user: StoreUser, secret: str) -> None:
    factor, now = FactorId(new_id()), administration.clock.now()
    async with administration.database.transaction() as transaction:
        subject = await subjects.ensure_subject(
            transaction, tenant.id, store=user.store, external_id=user.id, username=user.username, now=now
        )
        await insert_factor(
            transaction,
            EnrolledFactor(
                tenant=tenant.id, id=factor, subject=subject.id, authenticator=TOTP, label="App", created_at=now,
                secret=administration.sealer.seal(secret.encode(), factor_context(tenant.id, factor)),
            ),
        )  # fmt: skip


class HostileTenants:
    """Tenants with default settings, each with an application whose script loops for ever."""

    def __init__(self, place: "Installation", number: int) -> None:
        self._clients: list[tuple[str, str]] = []
        self.stopped_by_limit = 0
        self.refused_at_once = 0
        for _ in range(number):
            handle = f"hostile-{secrets.token_hex(4)}"
            self._clients.append((handle, place.administer(partial(self._make, handle=handle))))

    @staticmethod
    async def _make(administration: Administration, handle: str) -> str:
        tenant = await tenants.create_tenant(administration, handle)
        made = await applications.create_application(
            administration, tenant, name="Loop", grant_types=("authorization_code",), redirect_uris=(CALLBACK,),
            sign_in_steps=[{"authenticators": [BASIC]}],
            sign_in_script=await keep_script(administration, tenant, LOOP),
        )  # fmt: skip
        return str(made.application.client_id)

    async def begin(self, http: Http, number: int) -> None:
        """One sign-in to one of them, which the server denies: at a limit, or at once while the tenant is paused."""
        handle, client_id = self._clients[number % len(self._clients)]
        http.cookies.clear()
        query = urlencode({
            "client_id": client_id, "response_type": "code", "redirect_uri": CALLBACK, "scope": "openid",
            "state": "s", "code_challenge": "x" * 43, "code_challenge_method": "S256",
        })  # fmt: skip
        answer = await http.request("GET", f"/t/{handle}/oauth2/authorize?{query}")
        if answer.status != 303:
            raise Surprise(repr(answer)[:400])
        begun = time.perf_counter()
        answer = await http.request("GET", answer.location)
        if answer.status != 303:
            raise Surprise(repr(answer)[:400])
        if time.perf_counter() - begun > 0.3:
            self.stopped_by_limit += 1
        else:
            self.refused_at_once += 1
