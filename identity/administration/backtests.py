"""Recorded sign-ins, tried under a changed script: page by page, so that memory stays flat however many there are."""

import itertools
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from adaptive_auth.check import CheckingEngine
from adaptive_auth.script import Script
from identity.administration.script_bundles import ScriptAdministration, ScriptRefused, surroundings_of, verify
from identity.administration.scripts import Owner
from identity.authn.backtest import COMPARISONS, Outcome, Rehearsal
from identity.authn.login_recording import LoginRecordings, Recording
from identity.clock import SECOND
from identity.storage.recorded_logins import RecordedLogin, list_recorded_logins

PAGE = 500
EXAMPLES = 5
MAXIMUM_SINCE = 400 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One recorded sign-in. `who`: the name that they signed in with, or their subject; `at` in microseconds."""

    trace: str
    application: str
    subject: str
    who: str
    address: str
    at: int
    outcome: Outcome

    def to_json(self) -> dict[str, Any]:
        return {
            "trace": self.trace,
            "application": self.application,
            "subject": self.subject,
            "who": self.who,
            "from": self.address,
            "at": self.at / SECOND,
            "comparison": self.outcome.comparison,
            "before": self.outcome.before,
            "after": self.outcome.after,
            "detail": self.outcome.detail,
        }


@dataclass(frozen=True, slots=True)
class Page:
    """`after`: where the next page begins; empty after the last one. `unreadable`: recordings whose key is gone."""

    compared: tuple[Compared, ...]
    after: str
    unreadable: int = 0


@dataclass(slots=True)
class Summary:
    """What is kept of all pages: how many came out how, and some examples of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Compared]] = field(default_factory=dict)
    unreadable: int = 0
    began: float = field(default_factory=time.perf_counter)

    def add(self, page: Page) -> None:
        self.unreadable += page.unreadable
        for each in page.compared:
            self.counts[each.outcome.comparison] += 1
            examples = self.examples.setdefault(each.outcome.comparison, [])
            if each.outcome.comparison != "same" and len(examples) < EXAMPLES:
                examples.append(each)

    def to_json(self) -> dict[str, Any]:
        seconds = time.perf_counter() - self.began
        return {
            "logins": self.counts.total(),
            "counts": {name: self.counts[name] for name in COMPARISONS},
            "unreadable": self.unreadable,
            "seconds": round(seconds, 3),
            "examples": {name: [each.to_json() for each in found] for name, found in self.examples.items() if found},
        }


class Backtest:
    """A changed script of `owner`, to be tried on the sign-ins of the last `since_seconds`.

    `own_threads`: how many logins are tried at once by this process alone; None: in turn, as on a server.
    """

    def __init__(
        self,
        scripting: ScriptAdministration,
        owner: Owner,
        script: Script,
        secrets: tuple[str, ...],
        *,
        since_seconds: int,
        everybody: bool = False,
        own_threads: int | None = None,
    ) -> None:
        administration = scripting.administration
        self._scripting = scripting
        self._owner = owner
        self._script = script
        self._secrets = secrets
        self._now = administration.clock.now()
        self._since = self._now - min(since_seconds, MAXIMUM_SINCE) * SECOND
        self._everybody = everybody or owner.application is None
        self._recordings = LoginRecordings(administration.database, administration.sealer)
        self._threads = own_threads
        self._rehearsal: Rehearsal | None = None

    async def pages(self, after: str = "", count: int = PAGE) -> AsyncIterator[Page]:
        """Every page from `after` on."""
        while True:
            page = await self.page(after, count)
            yield page
            if not page.after:
                return
            after = page.after

    async def page(self, after: str = "", count: int = PAGE, seconds: float | None = None) -> Page:
        """Up to `count` sign-ins in the order in which they ended; fewer where `seconds` are over."""
        tenant = self._owner.tenant.id
        rows = await list_recorded_logins(
            self._scripting.administration.database,
            tenant,
            since=self._since,
            application=None if self._everybody else self._owner.key,
            after=after,
            count=count,
        )
        opened = [(row, await self._recordings.open(row)) for row in rows if row.expires_at > self._now]
        readable = [(row, recording) for row, recording in opened if recording is not None]
        end = None if seconds is None else time.monotonic() + seconds
        compared = await self._scripting.trials.run(tenant, self._work(readable, end))
        if len(compared) < len(readable):
            return Page(tuple(compared), readable[len(compared) - 1][0].id, 0)
        last = rows[-1].id if len(rows) == count else ""
        return Page(tuple(compared), last, len(rows) - len(readable))

    def _work(
        self, readable: list[tuple[RecordedLogin, Recording]], end: float | None
    ) -> Callable[[CheckingEngine], list[Compared]]:
        def within(pair: tuple[RecordedLogin, Recording]) -> bool:
            # The first one always: each page goes on.
            return end is None or pair is readable[0] or time.monotonic() < end

        def work(engine: CheckingEngine) -> list[Compared]:
            rehearsal = self._rehearsal_on(engine)
            pairs = itertools.takewhile(within, readable)
            return list(self._compared(rehearsal, pairs))

        return work

    def _rehearsal_on(self, engine: CheckingEngine) -> Rehearsal:
        """On a server each piece of work has an engine of its own; what was learned of the script is taken along."""
        if self._rehearsal is None:
            steps = self._owner.application.sign_in_steps if self._owner.application is not None else ()
            steps = () if self._everybody else steps or self._owner.tenant.settings.sign_in_steps
            self._rehearsal = Rehearsal(
                engine,
                self._script,
                steps=tuple(step.authenticators for step in steps) or None,
                secrets=self._secrets,
            )
        self._rehearsal.engine = engine
        return self._rehearsal

    def _compared(self, rehearsal: Rehearsal, pairs: Iterable[tuple[RecordedLogin, Recording]]) -> Iterable[Compared]:
        def one(pair: tuple[RecordedLogin, Recording]) -> Compared:
            return _compared(*pair, rehearsal.compare(pair[1]))

        if self._threads is None or self._threads < 2:
            return map(one, pairs)
        with ThreadPoolExecutor(self._threads, "backtest") as pool:
            return list(pool.map(one, pairs))


async def prepare_backtest(
    scripting: ScriptAdministration,
    owner: Owner,
    source: str,
    *,
    since_seconds: int,
    everybody: bool = False,
    own_threads: int | None = None,
) -> Backtest:
    """The script as it would be published now. Raises ScriptRefused, IdentityError."""
    around = await surroundings_of(scripting.administration, owner.tenant, owner.application)
    verified = await verify(scripting.trials, owner.tenant, source, "", around)
    if verified.errors:
        raise ScriptRefused(verified.findings)
    return Backtest(
        scripting,
        owner,
        verified.script,
        around.secrets,
        since_seconds=since_seconds,
        everybody=everybody,
        own_threads=own_threads,
    )


def all_processors() -> int:
    """For `own_threads`: the guest runs without the interpreter's lock."""
    return os.cpu_count() or 1


def _compared(login: RecordedLogin, recording: Recording, outcome: Outcome) -> Compared:
    person = recording.person or {}
    return Compared(
        trace=recording.trace,
        application=str(recording.facts.get("application", "")),
        subject=login.subject,
        who=str(person.get("identifier") or login.subject or "nobody"),
        address=str(recording.facts.get("request", {}).get("ip", "")),
        at=login.at,
        outcome=outcome,
    )
