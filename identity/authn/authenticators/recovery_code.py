"""Recovery codes: a set that a person keeps on paper for the day the phone is gone. Each is good once."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from identity.authn.authenticators import (
    RECOVERY_CODE,
    TOTP,
    Attempt,
    Begun,
    Kinds,
    PromptField,
    Rejected,
    Verified,
)
from identity.authn.enrolled_factors import LABELS, EnrolledFactors
from identity.authn.factor_policy import FactorPolicy
from identity.authn.one_time_codes import new_code, shown_code, typed_code
from identity.domain.enrolled_factors import EnrolledFactor
from identity.domain.events import EventType
from identity.secrets import Sealer
from identity.storage.write_batch import WriteBatch

CODES = 10
CODE_LENGTH = 12
"""57 bits."""
AMR = "otp"


class RecoveryCodeAuthenticator:
    name = RECOVERY_CODE
    kinds: Kinds = frozenset({"possession"})
    identifies = False
    template = "factors/recovery_code.html"
    enrol_template = "factors/recovery_code_enrol.html"
    fields: tuple[PromptField, ...] = (
        PromptField(name="code", confidential=True, display_name="Recovery code", i18n_key="backup.code.authenticator"),
    )

    def __init__(self, factors: EnrolledFactors, policy: FactorPolicy, sealer: Sealer) -> None:
        self._factors = factors
        self._policy = policy
        self._sealer = sealer

    async def usable(self, attempt: Attempt) -> bool:
        factor = await self._of(attempt)
        return factor is not None and codes_left(factor) > 0

    async def begin(self, attempt: Attempt) -> Begun:
        return Begun()

    async def page(self, attempt: Attempt) -> dict[str, Any]:
        return {}

    async def verify(self, attempt: Attempt, answer: Mapping[str, str]) -> Verified | Rejected:
        admission = await self._policy.admit(attempt, RECOVERY_CODE)
        if isinstance(admission, Rejected):
            return admission
        factor = await self._of(attempt)
        if factor is None or attempt.person is None:
            return await self._policy.refused(attempt, RECOVERY_CODE, admission, "not_set_up")
        rest = self._without(factor, typed_code(answer.get("code", "")))
        if rest is None:
            return await self._policy.refused(attempt, RECOVERY_CODE, admission, "wrong_code")

        async def write(batch: WriteBatch) -> None:
            await self._factors.use(batch, attempt, rest, factor.counter + 1)
            await self._factors.forgive(batch, attempt, factor.subject, TOTP)
            left = str(codes_left(rest))
            await self._policy.note(batch, attempt, EventType.RECOVERY_CODE_USED, {"left": left})
            await self._factors.tell(batch, attempt, "factor-used", factor, left=left)

        self._policy.passed(RECOVERY_CODE)
        return Verified(person=attempt.person, amr=(AMR,), writes=write, counters=(admission.account,))

    async def begin_enrolment(self, attempt: Attempt) -> Begun:
        return Begun(state={"codes": [new_code(CODE_LENGTH) for _ in range(CODES)]})

    async def enrolment_page(self, attempt: Attempt) -> dict[str, Any]:
        return {"codes": [shown_code(code) for code in attempt.state["codes"]]}

    async def enrol(self, attempt: Attempt, answer: Mapping[str, str]) -> Verified | Rejected:
        """The person has kept them; the old ones end. Nothing was proven by it, so no method is told."""
        codes = attempt.state.get("codes")
        if attempt.person is None or not codes:
            return Rejected(error="expired")
        kept = self._factors.new(attempt, RECOVERY_CODE, LABELS[RECOVERY_CODE])
        factor = replace(
            kept, document={"codes": [self._sealer.fingerprint(_text(kept, code)).hex() for code in codes]}
        )

        async def write(batch: WriteBatch) -> None:
            await self._factors.add(batch, attempt, factor, alone=True)

        return Verified(person=attempt.person, amr=(), writes=write)

    def _without(self, factor: EnrolledFactor, code: str) -> EnrolledFactor | None:
        """The set without the code that was typed; None when it is not in there. Every code is compared."""
        codes: list[str] = factor.document.get("codes", [])
        text = _text(factor, code)
        rest = [kept for kept in codes if not self._sealer.matches(text, bytes.fromhex(kept))]
        return replace(factor, document={"codes": rest}) if len(rest) < len(codes) else None

    async def _of(self, attempt: Attempt) -> EnrolledFactor | None:
        found = await self._factors.of_person(attempt, RECOVERY_CODE)
        return found[-1] if found else None


def codes_left(factor: EnrolledFactor) -> int:
    return len(factor.document.get("codes", []))


def _text(factor: EnrolledFactor, code: str) -> str:
    """What is hashed: a code is good for its own set only."""
    return f"recovery-code:{factor.tenant}:{factor.id}:{code}"
