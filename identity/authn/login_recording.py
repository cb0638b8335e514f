"""Finished sign-ins are kept for a while, so that a changed script can be tried on what really happened.

A recording holds everything that the decision depended on, personal data too: it is sealed under a key of its tenant
and day, and dropping the key drops the day.
"""

from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adaptive_auth.journal import Entry
from identity.authn.login_course import Course
from identity.authn.login_record import Answer
from identity.authn.script_facts import shown_person
from identity.clock import DAY
from identity.domain.tenants import TenantId
from identity.ids import new_id, random_bytes
from identity.secrets import Sealer
from identity.storage.database import Database
from identity.storage.recorded_logins import (
    RecordedLogin,
    ensure_recording_key,
    find_recording_key,
    insert_recorded_login,
)
from identity.storage.write_batch import WriteBatch

CACHED_KEYS = 1000
_NONCE = 12


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What a login depended on: the facts at its start, every answer, every step."""

    facts: dict[str, Any]
    steps: tuple[tuple[str, ...], ...]
    journal: tuple[Answer, ...]
    entries: tuple[Entry, ...]
    verdict: str
    reason: str
    acr: str
    effects: list[dict[str, Any]]
    trace: str = ""
    flow: str = ""
    """Decides `Math.random` of a script."""
    started_at: int = 0
    """Microseconds."""
    required_acr: str = ""
    """What the application demanded at least."""
    person: dict[str, Any] | None = None
    """Who it was, as scripts are shown a person; None when nobody was identified."""


class LoginRecordings:
    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._keys: dict[tuple[int, int], bytes] = {}

    async def note(self, batch: WriteBatch, course: Course) -> None:
        """Note the recording of a login that ends with this batch; nothing when the tenant keeps none."""
        days = course.request.tenant.settings.recorded_login_days
        record, tenant = course.record, course.request.tenant.id
        cancelled = record.denial is not None and record.denial.reason == "cancelled"
        if days == 0 or cancelled or not course.row.application:
            return
        day = course.now // DAY
        expires_at = (day + 1 + days) * DAY
        script = record.script
        id = new_id()
        await insert_recorded_login(
            batch,
            RecordedLogin(
                tenant=tenant,
                id=id,
                day=day,
                application=course.row.application,
                subject=record.subject,
                script=script.script if script is not None else "",
                outcome=record.verdict,
                document=_seal(await self._key(tenant, day, expires_at), id, msgspec.json.encode(recording_of(course))),
                at=course.now,
                expires_at=expires_at,
            ),
        )

    async def open(self, login: RecordedLogin) -> Recording | None:
        """None when the key of its day was dropped."""
        key = self._keys.get((login.tenant, login.day))
        if key is None:
            sealed = await find_recording_key(self._database, login.tenant, login.day)
            if sealed is None:
                return None
            key = self._remember(login.tenant, login.day, sealed)
        try:
            document = AESGCM(key).decrypt(login.document[:_NONCE], login.document[_NONCE:], login.id.encode())
        except InvalidTag:
            return None
        return msgspec.json.decode(document, type=Recording)

    async def _key(self, tenant: TenantId, day: int, expires_at: int) -> bytes:
        known = self._keys.get((tenant, day))
        if known is not None:
            return known
        fresh = self._sealer.seal(random_bytes(32), _context(tenant, day))
        return self._remember(tenant, day, await ensure_recording_key(self._database, tenant, day, fresh, expires_at))

    def _remember(self, tenant: TenantId, day: int, sealed: bytes) -> bytes:
        if len(self._keys) >= CACHED_KEYS:
            self._keys.clear()
        key = self._keys[tenant, day] = self._sealer.open(sealed, _context(tenant, day))
        return key


def recording_of(course: Course) -> Recording:
    """The login as it stands now."""
    record, script = course.record, course.record.script
    return Recording(
        facts=record.facts,
        steps=record.steps,
        journal=script.journal if script is not None else (),
        entries=record.entries,
        verdict=record.verdict,
        reason=record.denial.reason if record.denial is not None else "",
        acr=record.acr,
        effects=list(script.last.get("effects", [])) if script is not None else [],
        trace=record.trace,
        flow=course.row.id,
        started_at=record.started_at,
        required_acr=record.required_acr,
        person=shown_person(course.request.tenant, course.person) if course.person is not None else None,
    )


def _seal(key: bytes, id: str, document: bytes) -> bytes:
    nonce = random_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, document, id.encode())


def _context(tenant: TenantId, day: int) -> bytes:
    return f"recording-key:{tenant}:{day}".encode()
