"""What a person has set up: kept, sealed, told about. The factors themselves judge."""

from collections.abc import Mapping
from typing import Any, Protocol

from identity.authn.authenticators import PASSKEY, RECOVERY_CODE, TOTP, Attempt
from identity.authn.factor_policy import FactorPolicy
from identity.authn.people import Person
from identity.clock import as_datetime
from identity.domain.enrolled_factors import EnrolledFactor, FactorId
from identity.domain.events import EventType
from identity.domain.users import SubjectId
from identity.ids import new_id
from identity.secrets import Sealer
from identity.storage import enrolled_factors
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.storage.write_batch import WriteBatch
from identity.web.i18n import choose_locale, translations

LABELS = {TOTP: "Authenticator app", PASSKEY: "Passkey or security key", RECOVERY_CODE: "Recovery codes"}
"""What a factor is called before its owner says otherwise, and in mails."""


class Mails(Protocol):
    """`identity.messaging.mail.Mailer`."""

    async def enqueue(
        self,
        batch: WriteBatch,
        tenant: TenantConfiguration,
        *,
        to: str,
        template: str,
        locale: str,
        values: Mapping[str, str],
        key: str,
        expires_at: int | None = None,
        subject: str = "",
    ) -> object: ...


class EnrolledFactors:
    def __init__(self, database: Database, sealer: Sealer, mails: Mails, policy: FactorPolicy) -> None:
        self._database = database
        self._sealer = sealer
        self._mails = mails
        self._policy = policy

    async def of_person(self, attempt: Attempt, authenticator: str = "") -> list[EnrolledFactor]:
        """The person's, oldest first; of one kind or of all. Nobody has none."""
        if attempt.person is None:
            return []
        found = await enrolled_factors.list_factors_of_subject(
            self._database, attempt.tenant.id, attempt.person.subject.id
        )
        return [factor for factor in found if authenticator in ("", factor.authenticator)]

    def new(
        self,
        attempt: Attempt,
        authenticator: str,
        label: str,
        *,
        secret: bytes | None = None,
        lookup: bytes | None = None,
        counter: int = 0,
        document: dict[str, Any] | None = None,
    ) -> EnrolledFactor:
        """A factor of the attempt's person, not written yet."""
        assert attempt.person is not None
        id = FactorId(new_id())
        return EnrolledFactor(
            tenant=attempt.tenant.id,
            id=id,
            subject=attempt.person.subject.id,
            authenticator=authenticator,
            label=label,
            created_at=attempt.now,
            last_used_at=attempt.now if counter else None,
            lookup=lookup,
            secret=None if secret is None else self._sealer.seal(secret, factor_context(attempt.tenant.id, id)),
            counter=counter,
            document=document or {},
        )

    def open_secret(self, factor: EnrolledFactor) -> bytes:
        assert factor.secret is not None
        return self._sealer.open(factor.secret, factor_context(factor.tenant, factor.id))

    async def add(self, batch: WriteBatch, attempt: Attempt, factor: EnrolledFactor, *, alone: bool = False) -> None:
        """Write it, and tell its owner. `alone`: it takes the place of those of its kind."""
        if alone:
            await enrolled_factors.delete_factors_of_kind(batch, factor.tenant, factor.subject, factor.authenticator)
        await enrolled_factors.insert_factor(batch, factor)
        await self._policy.note(batch, attempt, EventType.FACTOR_ADDED, _named(factor))
        await self.tell(batch, attempt, "factor-added", factor)

    async def remove(self, batch: WriteBatch, attempt: Attempt, factor: EnrolledFactor) -> None:
        await enrolled_factors.delete_factor(batch, factor.tenant, factor.subject, factor.id)
        batch.expect_one()
        await self._policy.note(batch, attempt, EventType.FACTOR_REMOVED, _named(factor))
        await self.tell(batch, attempt, "factor-removed", factor)

    async def rename(self, batch: WriteBatch, attempt: Attempt, factor: EnrolledFactor, label: str) -> None:
        await enrolled_factors.rename_factor(batch, factor.tenant, factor.subject, factor.id, label)
        batch.expect_one()
        await self._policy.note(batch, attempt, EventType.FACTOR_RENAMED, _named(factor))

    async def use(self, batch: WriteBatch, attempt: Attempt, factor: EnrolledFactor, counter: int) -> None:
        """Move its counter; of two uses at once only one finds the value that both read."""
        await enrolled_factors.use_factor(batch, factor, counter=counter, at=attempt.now)
        batch.expect_one()

    async def forgive(self, batch: WriteBatch, attempt: Attempt, subject: SubjectId, authenticator: str) -> None:
        """The owner has shown who they are by another factor: wrong codes from before count no more."""
        await enrolled_factors.forgive_failures(batch, attempt.tenant.id, subject, authenticator)

    async def tell(
        self, batch: WriteBatch, attempt: Attempt, template: str, factor: EnrolledFactor, **values: str
    ) -> None:
        """A mail to the owner, if they have an address that is theirs."""
        assert attempt.person is not None
        address = verified_address(attempt.person)
        if address is None:
            return
        request = attempt.request
        locale = choose_locale(None, None, request.header(b"accept-language"))
        await self._mails.enqueue(
            batch,
            attempt.tenant,
            to=address,
            template=template,
            locale=locale,
            values={
                "factor": translations(locale).gettext(LABELS[factor.authenticator]),
                "name": attempt.person.display_name,
                "username": attempt.person.subject.qualified_username,
                "login-time": f"{as_datetime(attempt.now):%Y-%m-%d %H:%M} UTC",
                "device": (request.header(b"user-agent") or "")[:200],
                "address": request.address,
                **values,
            },
            key=f"{template}:{factor.id}:{attempt.now}",
            subject=factor.subject,
        )


def verified_address(person: Person) -> str | None:
    """An address that somebody has proven to be the person's (attack row 19)."""
    attributes = person.user.attributes
    address = attributes.get("email")
    proven = attributes.get("email_verified") is True
    return address if proven and isinstance(address, str) and address else None


def factor_context(tenant: int, factor: str) -> bytes:
    """What a factor's sealed secret is bound to."""
    return f"enrolled-factor:{tenant}:{factor}".encode()


def _named(factor: EnrolledFactor) -> dict[str, str]:
    return {"factor": factor.authenticator, "id": factor.id}
