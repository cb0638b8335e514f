"""Codes by mail, to the person's verified address only. What the page says does not depend on whether one was sent."""

import hmac
from collections.abc import Mapping
from typing import Any

from identity.authn.authenticators import (
    EMAIL_CODE,
    TOTP,
    Attempt,
    Begun,
    Kinds,
    PromptField,
    Rejected,
    State,
    Verified,
    Writes,
)
from identity.authn.enrolled_factors import EnrolledFactors, Mails, verified_address
from identity.authn.factor_policy import FactorPolicy
from identity.authn.lockout import Admission
from identity.authn.one_time_codes import new_code, shown_code, typed_code
from identity.authn.people import People, Person
from identity.clock import SECOND
from identity.secrets import Sealer
from identity.storage.write_batch import WriteBatch
from identity.web.i18n import choose_locale
from userstores.spi import StoreUnavailable

AMR = "otp"
TRIES_PER_CODE = 5
"""Where the lock is switched off, a code still does not stand more wrong answers."""


class EmailCodeAuthenticator:
    name = EMAIL_CODE
    kinds: Kinds = frozenset({"possession"})
    identifies = False
    template = "factors/email_code.html"
    fields: tuple[PromptField, ...] = (
        PromptField(name="OTPcode", confidential=True, display_name="Code", i18n_key="email.otp.code"),
    )

    def __init__(
        self, factors: EnrolledFactors, policy: FactorPolicy, people: People, mails: Mails, sealer: Sealer
    ) -> None:
        self._factors = factors
        self._policy = policy
        self._people = people
        self._mails = mails
        self._key = sealer.derive("one-time-code")

    async def usable(self, attempt: Attempt) -> bool:
        """A bare name always could: whether it is somebody's, and has an address, shows in the mailbox alone."""
        if attempt.person is None:
            return bool(attempt.username)
        return verified_address(attempt.person) is not None

    async def begin(self, attempt: Attempt) -> Begun:
        """A new code. Every call after the first is a resend."""
        sent = int(attempt.state.get("sent", 0))
        if sent > _resends(attempt):
            over = _flag(attempt, "terminateOnResendLimitExceeded")
            return Begun(state=attempt.state, error="refused", over=over)
        try:
            person = await self._person(attempt)
        except StoreUnavailable:
            return Begun(state=attempt.state, error="unavailable")
        settings = attempt.tenant.settings
        code = new_code(settings.one_time_code_length)
        state: State = {
            "sent": sent + 1,
            "subject": person.subject.id if person is not None else "",
            "failures": 0,
            "total": attempt.state.get("total", 0),
            "expires_at": attempt.now + settings.one_time_code_lifetime * SECOND,
        }
        return Begun(
            state=state | {"hash": self._hash(attempt, state, code)}, writes=self._sending(attempt, person, state, code)
        )

    async def page(self, attempt: Attempt) -> dict[str, Any]:
        """`address` masked, or None where nobody has shown yet whose it is; `resend`: another mail may be asked for;
        `minutes`: how long a code is good."""
        address = verified_address(attempt.person) if attempt.person is not None and attempt.proven else None
        return {
            "address": None if address is None else masked(address),
            "resend": int(attempt.state.get("sent", 0)) <= _resends(attempt),
            "minutes": max(1, attempt.tenant.settings.one_time_code_lifetime // 60),
            "length": attempt.tenant.settings.one_time_code_length,
        }

    async def verify(self, attempt: Attempt, answer: Mapping[str, str]) -> Verified | Rejected:
        admission = await self._policy.admit(attempt, EMAIL_CODE)
        if isinstance(admission, Rejected):
            return admission
        state = attempt.state
        if "hash" not in state or attempt.now >= state["expires_at"]:
            return await self._policy.not_judged(attempt, EMAIL_CODE, admission)
        typed = typed_code(answer.get("code", "") or answer.get("OTPcode", ""))
        right = hmac.compare_digest(self._hash(attempt, state, typed), state["hash"])
        try:
            person = await self._owner(attempt)
        except StoreUnavailable:
            return await self._policy.not_judged(attempt, EMAIL_CODE, admission, "unavailable")
        if not right or person is None:
            return await self._wrong(attempt, admission)

        async def write(batch: WriteBatch) -> None:
            await self._factors.forgive(batch, attempt, person.subject.id, TOTP)

        self._policy.passed(EMAIL_CODE)
        return Verified(person=person, amr=(AMR,), writes=write, counters=(admission.account,))

    async def _wrong(self, attempt: Attempt, admission: Admission) -> Rejected:
        """One wrong answer more: after several the code is dead, and with the script's limit the step has failed."""
        state = attempt.state | {"failures": attempt.state["failures"] + 1, "total": attempt.state["total"] + 1}
        if state["failures"] >= (attempt.tenant.settings.factor_attempts or TRIES_PER_CODE):
            del state["hash"]
        most = _number(attempt, "maximumAllowedFailureAttempts")
        over = attempt.parameters.get("enableRetryFromAuthenticator") == "false" or (
            most is not None and state["total"] >= most
        )
        return await self._policy.refused(attempt, EMAIL_CODE, admission, "wrong_code", state=state, over=over)

    def _hash(self, attempt: Attempt, state: State, code: str) -> str:
        """Good in this flow, for this person and this sending only."""
        text = f"{attempt.tenant.id}:{attempt.flow}:{state['subject']}:{state['sent']}:{code}"
        return hmac.new(self._key, text.encode(), "sha256").hexdigest()

    def _sending(self, attempt: Attempt, person: Person | None, state: State, code: str) -> Writes | None:
        address = verified_address(person) if person is not None else None
        if person is None or address is None:
            return None
        settings = attempt.tenant.settings

        async def write(batch: WriteBatch) -> None:
            await self._policy.sent(batch, attempt, EMAIL_CODE, person.subject.id)
            await self._mails.enqueue(
                batch,
                attempt.tenant,
                to=address,
                template="email-otp",
                locale=choose_locale(None, None, attempt.request.header(b"accept-language")),
                values={
                    "code": shown_code(code),
                    "minutes": str(max(1, settings.one_time_code_lifetime // 60)),
                    "name": person.display_name,
                    "username": person.subject.qualified_username,
                },
                key=f"email-otp:{attempt.flow}:{state['sent']}",
                expires_at=state["expires_at"],
                subject=person.subject.id,
            )

        return write

    async def _person(self, attempt: Attempt) -> Person | None:
        """Whom the code is for. Raises StoreUnavailable."""
        if attempt.person is not None:
            return attempt.person
        person = await self._people.find_by_name(attempt.tenant, attempt.username)
        return person if person is not None and person.user.enabled and person.subject.enabled else None

    async def _owner(self, attempt: Attempt) -> Person | None:
        """Whom the code was sent to, as they are now. Raises StoreUnavailable."""
        subject = attempt.state["subject"]
        if attempt.person is not None:
            return attempt.person if attempt.person.subject.id == subject else None
        known = await self._people.subject(attempt.tenant, subject) if subject else None
        return await self._people.current(attempt.tenant, known) if known is not None else None


def masked(address: str) -> str:
    """`d•••@example.org`: enough for its owner."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}"


def _resends(attempt: Attempt) -> int:
    asked = _number(attempt, "maximumAllowedResendAttempts")
    own = attempt.tenant.settings.one_time_code_resends
    return own if asked is None else min(own, asked)


def _number(attempt: Attempt, name: str) -> int | None:
    value = attempt.parameters.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else None


def _flag(attempt: Attempt, name: str) -> bool:
    return attempt.parameters.get(name, "").lower() == "true"
