"""Authenticator apps: time-based codes of six digits (RFC 6238), SHA-1, steps of 30 s, as every app knows them."""

import hmac
import re
from collections.abc import Mapping
from typing import Any

from identity.authn.authenticators import TOTP, Attempt, Begun, Kinds, PromptField, Rejected, Verified, Writes
from identity.authn.enrolled_factors import LABELS, EnrolledFactors
from identity.authn.factor_policy import FactorPolicy
from identity.clock import seconds
from identity.domain.enrolled_factors import EnrolledFactor
from identity.domain.events import EventType
from identity.storage.database import Database
from identity.storage.enrolled_factors import count_failure
from identity.storage.write_batch import WriteBatch

STEP_SECONDS = 30
DIGITS = 6
AMR = "otp"
"""RFC 8176 §2."""
SECRET_CHARACTERS = 32
"""Base32: 160 bits (RFC 4226 §4, R6)."""

_CODE = re.compile(rf"[0-9]{{{DIGITS}}}", re.ASCII)


class TotpAuthenticator:
    name = TOTP
    kinds: Kinds = frozenset({"possession"})
    identifies = False
    template = "factors/totp.html"
    enrol_template = "factors/totp_enrol.html"
    fields: tuple[PromptField, ...] = (
        PromptField(name="code", confidential=True, display_name="Code", i18n_key="totp.code"),
    )

    def __init__(self, factors: EnrolledFactors, policy: FactorPolicy, database: Database) -> None:
        self._factors = factors
        self._policy = policy
        self._database = database

    async def usable(self, attempt: Attempt) -> bool:
        return await self._of(attempt) is not None

    async def begin(self, attempt: Attempt) -> Begun:
        return Begun()

    async def page(self, attempt: Attempt) -> dict[str, Any]:
        return {}

    async def verify(self, attempt: Attempt, answer: Mapping[str, str]) -> Verified | Rejected:
        admission = await self._policy.admit(attempt, TOTP)
        if isinstance(admission, Rejected):
            return admission
        factor = await self._of(attempt)
        if factor is None or attempt.person is None:
            return await self._policy.refused(attempt, TOTP, admission, "not_set_up")
        maximum = attempt.tenant.settings.factor_failures_maximum
        if not await count_failure(self._database, factor, maximum):
            return await self._policy.refused(attempt, TOTP, admission, "suspended")
        secret = self._factors.open_secret(factor).decode()
        step = matching_step(secret, answer.get("code", ""), attempt, after=factor.counter)
        if step is None:
            if factor.failures + 1 == maximum:
                await self._policy.note(self._database, attempt, EventType.FACTOR_SUSPENDED, {"factor": TOTP})
            return await self._policy.refused(attempt, TOTP, admission, "wrong_code")

        async def write(batch: WriteBatch) -> None:
            await self._factors.use(batch, attempt, factor, step)

        self._policy.passed(TOTP)
        return Verified(person=attempt.person, amr=(AMR,), writes=write, counters=(admission.account,))

    async def begin_enrolment(self, attempt: Attempt) -> Begun:
        import pyotp

        return Begun(state={"secret": pyotp.random_base32(SECRET_CHARACTERS)})

    async def enrolment_page(self, attempt: Attempt) -> dict[str, Any]:
        """`qr` is a drawing: `size` modules each way, `path` the dark ones (SVG)."""
        import pyotp
        import segno

        assert attempt.person is not None
        secret: str = attempt.state["secret"]
        issuer = attempt.tenant.settings.display_name or attempt.tenant.tenant.handle
        uri = pyotp.TOTP(secret).provisioning_uri(name=attempt.person.subject.qualified_username, issuer_name=issuer)
        rows = [bytes(row) for row in segno.make(uri, micro=False).matrix_iter(border=4)]
        groups = [secret[start : start + 4] for start in range(0, len(secret), 4)]
        return {"secret": " ".join(groups), "uri": uri, "qr": {"size": len(rows), "path": _path(rows)}}

    async def enrol(self, attempt: Attempt, answer: Mapping[str, str]) -> Verified | Rejected:
        """One code of the new app; it takes the place of an older one."""
        if attempt.person is None or "secret" not in attempt.state:
            return Rejected(error="expired")
        secret: str = attempt.state["secret"]
        step = matching_step(secret, answer.get("code", ""), attempt, after=0)
        if step is None:
            return await self._policy.turned_down(attempt, TOTP, "wrong_code")
        # The code counts as used: it opens nothing any more.
        factor = self._factors.new(attempt, TOTP, LABELS[TOTP], secret=secret.encode(), counter=step)
        return Verified(person=attempt.person, amr=(AMR,), writes=self._adding(attempt, factor))

    def _adding(self, attempt: Attempt, factor: EnrolledFactor) -> Writes:
        async def write(batch: WriteBatch) -> None:
            await self._factors.add(batch, attempt, factor, alone=True)

        return write

    async def _of(self, attempt: Attempt) -> EnrolledFactor | None:
        found = await self._factors.of_person(attempt, TOTP)
        return found[-1] if found else None


def matching_step(secret: str, typed: str, attempt: Attempt, *, after: int) -> int | None:
    """The time step whose code was typed, if it is later than `after`: one used once is never taken again."""
    import pyotp

    code = "".join(typed[:32].split()).replace("-", "")
    if not _CODE.fullmatch(code):
        return None
    window = attempt.tenant.settings.totp_window
    present = seconds(attempt.now) // STEP_SECONDS
    totp = pyotp.TOTP(secret)
    for step in range(max(after + 1, present - window), present + window + 1):
        if hmac.compare_digest(totp.generate_otp(step), code):
            return step
    return None


def _path(rows: list[bytes]) -> str:
    """Every run of dark modules as a rectangle one module high."""
    parts = []
    for y, row in enumerate(rows):
        for run in re.finditer(rb"\x01+", row):
            parts.append(f"M{run.start()} {y}h{len(run.group())}v1h-{len(run.group())}z")
    return "".join(parts)
