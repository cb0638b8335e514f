"""A model of grants, sessions and tokens, driven at random with requests at the same moment: docs/invariants.md.

The model says after each step which tokens live; the server is asked about every one of them. What a step may answer is
asserted where it happens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from identity.administration import users
from tests.support.browser import Browser
from tests.support.builders import Client, Person, claims_of, response_parameters
from tests.support.in_process import InProcessServer, TimedSite

pytestmark = pytest.mark.long

T = TypeVar("T")

CODE_SECONDS = 60
ACCESS_SECONDS = 300
REFRESH_SECONDS = 900
GRACE_SECONDS = 60
GRACE_USES = 5
STEPS = ["sign in"] * 2 + ["redeem"] * 3 + ["refresh"] * 14 + ["wait"] * 2 + ["give back", "sign out", "administrate"]


@dataclass
class Refresh:
    expires_at: float
    parent: "Refresh | None" = None
    first_used_at: float | None = None
    uses: int = 0
    closed: bool = False


@dataclass
class Family:
    """One authorization: its code, and everything that comes from it."""

    client: Client
    person: Person
    session: "Session"
    offline: bool
    code: str
    code_expires_at: float
    epoch: int
    consumed: bool = False
    revoked: bool = False
    access: dict[str, float] = field(default_factory=dict)
    refresh: dict[str, Refresh] = field(default_factory=dict)


@dataclass
class Session:
    browser: Browser
    person: Person
    id_token: str = ""
    ended: bool = False


class Tokens(RuleBasedStateMachine):
    server: InProcessServer

    @initialize()
    def begin(self) -> None:
        self.site = TimedSite(self.server)
        quick = {
            "user_access_token_lifetime": ACCESS_SECONDS,
            "refresh_token_lifetime": REFRESH_SECONDS,
            "scopes": ("read",),
        }
        self.clients = [
            self.site.application("Rotating", **quick),
            self.site.application("Steady", rotate_refresh_tokens=False, access_token_type="jwt", **quick),
        ]
        self.gateway = self.site.machine(may_introspect_any=True)
        self.people = [self.site.person("jane"), self.site.person("bob")]
        self.families: list[Family] = []
        self.sessions: list[Session] = []
        self.disabled_clients: set[str] = set()
        self.disabled_people: set[str] = set()
        self.epochs = {"jane": 0, "bob": 0}

    def teardown(self) -> None:
        if hasattr(self, "site"):
            self.site.close()

    @property
    def now(self) -> float:
        return self.site.clock.now() / 1e6

    @rule(what=st.sampled_from(STEPS), pick=st.integers(0, 9999), count=st.sampled_from([1, 1, 1, 1, 2, 6]))
    def step(self, what: str, pick: int, count: int) -> None:
        """One rule for everything: as rules of their own, whole runs would go without redemptions.

        Numbers are drawn with a liking for small ones; scrambled, every choice is as likely as any other.
        """
        pick = Random(pick).getrandbits(30)
        if pick % 2 and (self.disabled_clients or self.disabled_people):
            # Short outages: most steps are to do something.
            self._switch_everything_on()
        if what == "sign in" or not self.families:
            self.sign_in(pick & 1, pick >> 1 & 1, offline=bool(pick >> 2 & 1))
        elif what == "redeem":
            self.redeem(pick, 1 if pick % 5 else count)
        elif what == "refresh" and any(family.refresh for family in self.families):
            self.use_refresh_token(pick, count)
        elif what == "give back" and any(family.refresh for family in self.families):
            self.give_back_refresh_token(pick) if pick & 1 else self.give_back_access_token(pick)
        elif what == "sign out" and any(each.id_token and not each.ended for each in self.sessions):
            self.sign_out(pick)
        elif what == "administrate":
            self.administrate(pick & 1, person=pick % 3 == 0)
        elif what == "wait":
            self.site.clock.advance(_of([1, 1, 10, 30, 61, 200], pick))

    # What people do.

    def sign_in(self, person: int, client: int, *, offline: bool) -> None:
        who, application = self.people[person], self.clients[client]
        browser = self.site.browser()
        scope = "openid read offline_access" if offline else "openid read"
        page = self.site.sign_in(application, who, browser=browser, scope=scope)
        if application.client_id in self.disabled_clients:
            assert page.header("location") is None
            return
        if who.username in self.disabled_people:
            assert page.header("location") is None
            return
        if page.has("consent-allow"):
            page = page.submit("consent-allow")
        session = Session(browser, who)
        self.sessions.append(session)
        code = response_parameters(page)["code"]
        self.families.append(
            Family(application, who, session, offline, code, self.now + CODE_SECONDS, self.epochs[who.username])
        )

    def sign_out(self, pick: int) -> None:
        session = _of([each for each in self.sessions if each.id_token and not each.ended], pick)
        session.browser.get(f"{self.site.base}/oidc/logout?id_token_hint={session.id_token}")
        session.ended = True

    # What applications do.

    def redeem(self, pick: int, count: int) -> None:
        family = self._choose(pick, self.families)
        form = {"grant_type": "authorization_code", "code": family.code, "redirect_uri": family.client.redirect_uri}
        answers = self.site.at_once(count, "/oauth2/token", form, family.client.basic)
        good = [answer.json() for answer in answers if answer.status_code == 200]
        if family.client.client_id in self.disabled_clients:
            assert not good
            return
        if family.consumed:
            assert not good, "a code mints at most one family"
            family.revoked = True
            return
        if self.now >= family.code_expires_at or not self._stands(family):
            assert not good
            return
        assert len(good) == 1, [answer.text for answer in answers]
        family.consumed = True
        self._keep(family, good[0], None)
        family.session.id_token = good[0]["id_token"]
        family.revoked = family.revoked or count > 1

    def use_refresh_token(self, pick: int, count: int) -> None:
        family = self._choose(pick, [each for each in self.families if each.refresh])
        tokens = list(family.refresh)
        token = tokens[-1] if pick // 5 % 3 else _of(tokens, pick)
        answers = self.site.at_once(
            count, "/oauth2/token", {"grant_type": "refresh_token", "refresh_token": token}, family.client.basic
        )
        good = [answer.json() for answer in answers if answer.status_code == 200]
        row = family.refresh[token]
        if family.client.client_id in self.disabled_clients or not self._stands(family) or self.now >= row.expires_at:
            assert not good
            return
        if not family.client.application.rotate_refresh_tokens:
            assert len(good) == count
        else:
            self._rotate(family, row, count, good)
        for answer in good:
            assert set(answer["scope"].split()) <= {"openid", "read", "offline_access"}
            self._keep(family, answer, row)

    def _rotate(self, family: Family, row: Refresh, count: int, good: list[dict[str, Any]]) -> None:
        in_grace = row.first_used_at is None or (self.now - row.first_used_at < GRACE_SECONDS and row.uses < GRACE_USES)
        if row.closed or not in_grace:
            assert not good, "a used refresh token outside its grace gives nothing"
            family.revoked = True
            return
        allowed = min(count, GRACE_USES - row.uses)
        # One that finds the last use gone ends the family; those before it may have been answered.
        assert len(good) == allowed or (allowed < count and len(good) <= allowed)
        row.first_used_at = self.now if row.first_used_at is None else row.first_used_at
        row.uses += allowed
        if row.parent is not None:
            row.parent.closed = True
        family.revoked = family.revoked or allowed < count

    def give_back_access_token(self, pick: int) -> None:
        family = self._choose(pick, [each for each in self.families if each.access])
        token = _of(list(family.access), pick)
        answer = self.site.http.post("/oauth2/revoke", data={"token": token}, auth=family.client.basic)
        if answer.status_code == 200:
            family.access[token] = 0

    def give_back_refresh_token(self, pick: int) -> None:
        family = self._choose(pick, [each for each in self.families if each.refresh])
        token = _of(list(family.refresh), pick)
        answer = self.site.http.post("/oauth2/revoke", data={"token": token}, auth=family.client.basic)
        family.revoked = family.revoked or answer.status_code == 200

    # What administrators do.

    def administrate(self, number: int, *, person: bool) -> None:
        if person:
            self._switch_person(number)
        else:
            self._switch_application(number)

    def _switch_everything_on(self) -> None:
        for number in range(2):
            if self.clients[number].client_id in self.disabled_clients:
                self._switch_application(number)
            if self.people[number].username in self.disabled_people:
                self._switch_person(number)

    def _switch_application(self, client: int) -> None:
        application = self.clients[client]
        off = application.client_id not in self.disabled_clients
        self.site.update(application, enabled=not off)
        (self.disabled_clients.add if off else self.disabled_clients.discard)(application.client_id)

    def _switch_person(self, person: int) -> None:
        name = self.people[person].username
        off = name not in self.disabled_people
        self.site.in_tenant(lambda a, t: users.set_user_enabled(a, t, name, enabled=not off))
        (self.disabled_people.add if off else self.disabled_people.discard)(name)
        if off:
            # For good: who is enabled again signs in again.
            self.epochs[name] += 1

    # What must hold at any time.

    @invariant()
    def tokens_live_exactly_when_everything_above_them_does(self) -> None:
        if not hasattr(self, "families"):
            return
        for family in self.families:
            for token, expires_at in family.access.items():
                expected = (
                    self._stands(family)
                    and family.client.client_id not in self.disabled_clients
                    and self.now < expires_at
                )
                assert self.site.is_active(self.gateway, token) == expected, (family, token)

    def _choose(self, pick: int, families: list[Family]) -> Family:
        """Mostly one in which something can still happen."""
        alive = [each for each in families if self._stands(each)]
        if alive and pick % 3:
            return alive[-1]
        return _of(alive if alive and pick % 4 else families, pick)

    def _stands(self, family: Family) -> bool:
        name = family.person.username
        bound_and_over = not family.offline and family.session.ended
        return not (
            family.revoked or bound_and_over or name in self.disabled_people or self.epochs[name] != family.epoch
        )

    def _keep(self, family: Family, answer: dict[str, Any], parent: Refresh | None) -> None:
        token = answer["access_token"]
        expires_at = claims_of(token)["exp"] if "." in token else self.now + answer["expires_in"]
        family.access[token] = expires_at
        known = family.refresh.get(answer["refresh_token"])
        if known is None:
            family.refresh[answer["refresh_token"]] = Refresh(self.now + REFRESH_SECONDS, parent)


def _of(choices: list[T], pick: int) -> T:
    return choices[pick // 12 % len(choices)]


@contextmanager
def model_of(server: InProcessServer) -> Iterator[type[Tokens]]:
    Tokens.server = server
    yield Tokens


@pytest.mark.timeout(600)  # for making a counter-example short
@pytest.mark.spec("RFC 6749", "10.5")
@pytest.mark.spec("RFC 9700", "4.14.2")
def test_tokens_follow_the_model(in_process_server: InProcessServer) -> None:
    with model_of(in_process_server) as machine:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=20,
                stateful_step_count=60,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                print_blob=True,
            ),
        )
