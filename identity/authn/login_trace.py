"""Why was I asked? Every sign-in leaves a trace: step, rule, inputs used, outcome, log lines, version of the script.

Redacted when it is written: answers of people, values of claims and bodies of other systems' answers are not in it,
only which ones were looked at. Sealed for its tenant, found by its trace id, kept for `trace_days`.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from adaptive_auth.journal import Entry
from identity.authn.login_course import Course
from identity.authn.login_record import Denial, LoginRecord
from identity.clock import DAY, SECOND
from identity.domain.tenants import TenantId
from identity.secrets import Sealer
from identity.storage.database import Runner
from identity.storage.login_traces import (
    StoredTrace,
    find_login_trace,
    insert_login_trace,
    list_login_traces_of_subject,
)
from identity.storage.write_batch import WriteBatch

MAXIMUM_MESSAGE = 500
_OUTCOMES = frozenset({"ok", "timeout", "status"})
_OPEN_ANSWERS = (bool, int, float, type(None))
"""Kinds of answers that are told as they are: whether, how many, how long. Texts are not."""


class LoginTraces:
    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    async def note(self, batch: WriteBatch, course: Course) -> None:
        """Note the trace of a login that ends with this batch; nothing when the tenant keeps none."""
        days = course.request.tenant.settings.trace_days
        if days == 0:
            return
        record, tenant = course.record, course.request.tenant.id
        document = msgspec.json.encode(trace_of(course))
        await insert_login_trace(
            batch,
            StoredTrace(
                tenant=tenant,
                id=record.trace,
                application=course.row.application,
                subject=record.subject,
                outcome=record.verdict,
                script=record.script.script if record.script is not None else "",
                document=self._sealer.seal(document, _context(tenant, record.trace)),
                at=course.now,
                expires_at=course.now + days * DAY,
            ),
        )

    async def find(self, runner: Runner, tenant: TenantId, trace: str, now: int) -> dict[str, Any] | None:
        """The trace as JSON; None when there is none, or it is past its time."""
        stored = await find_login_trace(runner, tenant, trace, now)
        return None if stored is None else self._opened(stored)

    async def of_subject(self, runner: Runner, tenant: TenantId, subject: str, now: int) -> list[dict[str, Any]]:
        """A person's last sign-ins, the newest first."""
        return [self._opened(stored) for stored in await list_login_traces_of_subject(runner, tenant, subject, now)]

    def _opened(self, stored: StoredTrace) -> dict[str, Any]:
        document: dict[str, Any] = msgspec.json.decode(
            self._sealer.open(stored.document, _context(stored.tenant, stored.id))
        )
        return document


def trace_of(course: Course) -> dict[str, Any]:
    """The trace of the login as it stands now; moments are seconds with fractions since 1970."""
    record = course.record
    document: dict[str, Any] = {
        "trace": record.trace,
        "flow": course.row.id,
        "application": record.application,
        "subject": record.subject,
        "started": record.started_at / SECOND,
        "ended": course.now / SECOND,
        "outcome": record.verdict or "open",
        "reason": record.denial.reason if record.denial is not None else "",
        "end": _end(record.denial),
        "address": course.request.address,
        "policy": {
            "steps": [list(step) for step in record.steps],
            "script": record.script.script if record.script is not None else None,
            "wantedAcr": record.wanted_acr or None,
        },
        "events": sorted([*_steps(record.entries), *_questions(record)], key=_order),
        "log": list(record.script.log) if record.script is not None else [],
        "effects": [effect.get("kind") for effect in _effects(record)],
    }
    document["short"] = short(document)
    return document


def short(document: dict[str, Any]) -> list[str]:
    """What the person may read: one sentence for each thing that happened."""
    said: list[str] = []
    for event in document["events"]:
        if event["what"] == "step" and event["outcome"] == "succeeded":
            said.append(f"step {event['step']}: {event['factor']}{' (from the running session)' * event['reused']}")
        elif event["what"] == "step":
            said.append(f"step {event['step']}: {event['factor']} {event['outcome']}")
    said.append({"done": "signed in", "denied": "not signed in"}.get(document["outcome"], "not finished"))
    return said


def _end(denial: Denial | None) -> dict[str, str] | None:
    """Which of its ends a script called, and with what; None where it called none. `fail` stands for `deny` too; of
    what `sendError` was given, only what WSO2's error page shows."""
    if denial is None or denial.reason != "script":
        return None
    if denial.kind == "error_page":
        return {"called": "sendError", "code": denial.parameters.get("status", ""), "message": denial.message}
    return {"called": "fail", "code": denial.code, "message": denial.message[:MAXIMUM_MESSAGE]}


def _steps(entries: Iterable[Entry]) -> Iterable[dict[str, Any]]:
    for entry in entries:
        yield {
            "at": entry.at / SECOND,
            "what": "step",
            "step": entry.step,
            "factor": entry.authenticator,
            "outcome": entry.outcome,
            "methods": list(entry.amr),
            "reused": entry.reused,
        }


def _questions(record: LoginRecord) -> Iterable[dict[str, Any]]:
    """What the script looked at, and as much of the answer as may be kept."""
    if record.script is None:
        return
    for answer in record.script.journal:
        kind, _, _ = answer.key.partition(":")
        if kind == "step":
            continue
        yield {
            "at": answer.at / 1000,
            "what": "input",
            "asked": _redacted_key(answer.key),
            "answer": _told(answer.value),
        }


def _order(event: dict[str, Any]) -> float:
    """By time. A script's clock has milliseconds: within one, its questions came after the step that they are about."""
    return float(event["at"]) + (0.001 if event["what"] == "input" else 0)


def _redacted_key(key: str) -> str:
    """The question by its kind and, for an HTTP call, whom it went to; arguments may hold personal data."""
    kind, _, arguments = key.partition(":")
    if kind != "http":
        return kind
    asked: dict[str, Any] = msgspec.json.decode(arguments)
    return f"http {asked.get('method')} {str(asked.get('url')).partition('?')[0]}"


def _told(value: Any) -> Any:
    if isinstance(value, _OPEN_ANSWERS):
        return value
    if isinstance(value, dict):
        kept = {name: value[name] for name in _OUTCOMES & value.keys() if isinstance(value[name], _OPEN_ANSWERS)}
        return {**kept, "members": sorted(name for name in value if name not in kept)[:50]}
    return {"entries": len(value)} if isinstance(value, list) else {"characters": len(str(value))}


def _effects(record: LoginRecord) -> list[dict[str, Any]]:
    effects = record.script.last.get("effects", []) if record.script is not None else []
    return [effect for effect in effects if isinstance(effect, dict)]


def _context(tenant: TenantId, trace: str) -> bytes:
    return f"login-trace:{tenant}:{trace}".encode()
