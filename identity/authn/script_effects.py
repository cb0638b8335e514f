"""What scripts cause: mails, cookies, headers, changes of claims. Each is handed on once, in the transaction that saves
the journal; what goes outside our database goes through the outbox."""

import re
from typing import Any

import msgspec

from identity.authn.login_course import Course
from identity.authn.people import People
from identity.authn.script_answers.claims import attribute_of
from identity.authn.script_answers.cookies import protected
from identity.authn.script_facts import OUR_COOKIES, is_true
from identity.authn.session_claims import may_be_set
from identity.authn.typed_secrets import told_without_secrets
from identity.domain.deliveries import DeliveryKind
from identity.domain.events import Event, EventType
from identity.domain.users import SubjectId
from identity.messaging.mail import Mailer
from identity.messaging.mail_templates import BadMail
from identity.messaging.outbox import OF_NO_USE, Outbox, Outgoing
from identity.messaging.outcomes import Outcome, Result
from identity.secrets import Sealer
from identity.storage.configuration import Configuration
from identity.storage.database import Database
from identity.storage.events import record
from identity.storage.subjects import touch_subject
from identity.storage.write_batch import WriteBatch
from identity.telemetry import Log
from userstores.spi import InvalidUser, NotSupported, StoreUnavailable, UnknownUser, UserChanges

CARRY_SECONDS = 15.0
MAXIMUM_COOKIE = 3800
_COOKIE_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
"""RFC 6265 §4.1.1: a token."""
_COOKIE_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_HEADER_NAME = re.compile(r"[Xx]-[A-Za-z0-9-]{1,64}")
"""A script may add headers of its own, not change what browsers and proxies obey."""
_OBEYED_HEADERS = ("x-accel-", "x-sendfile", "x-lighttpd-", "x-litespeed-", "x-reproxy-", "x-frame-", "x-content-type-",
                   "x-xss-", "x-dns-", "x-ua-", "x-permitted-", "x-forwarded-", "x-cache", "x-robots-")  # fmt: skip
_PROTECTED = frozenset({"email_verified", "phone_number_verified", "username", "userid", "groups", "roles"})
"""What others rely on; no script says it."""


class ClaimChange(msgspec.Struct, frozen=True, kw_only=True):
    store: str
    user: str
    attribute: str
    value: str


class ScriptEffects:
    def __init__(
        self,
        *,
        database: Database,
        configuration: Configuration,
        people: People,
        mailer: Mailer,
        outbox: Outbox,
        sealer: Sealer,
        plain: bool,
        log: Log,
    ) -> None:
        self._database = database
        self._configuration = configuration
        self._people = people
        self._mailer = mailer
        self._outbox = outbox
        self._sealer = sealer
        self._plain = plain
        self._log = log
        outbox.register_carrier(DeliveryKind.CLAIM_CHANGE, self._change_claim, seconds=CARRY_SECONDS)

    async def hand_on(self, course: Course, effect: dict[str, Any], place: int) -> None:
        """The effect at `place` of its login; what cannot be done is logged. Raises StoreUnavailable."""
        match effect["kind"]:
            case "email":
                await self._mail(course, effect, place)
            case "cookie":
                self._cookie(course, effect)
            case "header":
                self._header(course, effect)
            case "claim":
                await self._claim(course, effect)
            case "session_claim":
                # Read at the end of the sign-in, as the level is.
                if not may_be_set(effect, course.record.subject, course.application):
                    self._say(course, f"a claim that a script may not set for a sign-in: {effect['claim'][:100]}")

    async def _mail(self, course: Course, effect: dict[str, Any], place: int) -> None:
        subject = await self._people.subject(course.request.tenant, effect["user"])
        person = await self._people.current(course.request.tenant, subject) if subject is not None else None
        address = person.user.attributes.get("email") if person is not None else None
        if person is None or not isinstance(address, str) or person.user.attributes.get("email_verified") is not True:
            self._say(course, "mail of a script has no verified address to go to")
            return
        locale = person.user.attributes.get("locale")
        values = {str(name): str(value)[:500] for name, value in effect["placeholders"].items()}
        values.setdefault("name", person.display_name)
        key = f"script:{course.row.id}:{place}"
        tenant, template = course.request.tenant, effect["template"]

        async def write(batch: WriteBatch) -> None:
            try:
                await self._mailer.enqueue(
                    batch, tenant, to=address, template=template, locale=locale if isinstance(locale, str) else "en",
                    values=values, key=key, subject=person.subject.id, application=course.row.application,
                )  # fmt: skip
            except BadMail as bad:
                self._say(course, f"mail of a script: {bad}")

        course.writes.append(write)

    def _cookie(self, course: Course, effect: dict[str, Any]) -> None:
        name, options = effect["name"], effect["options"]
        if not _COOKIE_NAME.fullmatch(name) or name.startswith((*OUR_COOKIES, "device-")):
            self._say(course, "a cookie name that a script may not set")
            return
        value = protected(
            self._sealer, course.request.tenant.id, name, effect["value"],
            sign=is_true(options.get("sign")), encrypt=is_true(options.get("encrypt")),
        )  # fmt: skip
        if not _COOKIE_VALUE.fullmatch(value) or len(value) > MAXIMUM_COOKIE:
            self._say(course, "a cookie value that is none, or too long")
            return
        course.headers.append((b"set-cookie", f"{name}={value}{self._attributes(course, options)}".encode()))

    def _attributes(self, course: Course, options: dict[str, Any]) -> str:
        """HttpOnly and Secure unless the script says otherwise; Secure always where we are reached by https."""
        prefix = course.request.tenant.prefix or "/"
        path = str(options.get("path") or prefix)
        parts = [f"Path={path}" if path.startswith("/") and ";" not in path else f"Path={prefix}"]
        age = str(options.get("max-age", ""))
        if re.fullmatch(r"-?[0-9]{1,10}", age):
            parts.append(f"Max-Age={age}")
        if is_true(options.get("httpOnly", True)):
            parts.append("HttpOnly")
        if not self._plain:
            parts.append("Secure")
        same_site = str(options.get("sameSite", "Lax")).capitalize()
        parts.append(f"SameSite={same_site if same_site in ('Strict', 'Lax') else 'Lax'}")
        return "".join(f"; {part}" for part in parts)

    def _header(self, course: Course, effect: dict[str, Any]) -> None:
        obeyed = effect["name"].lower().startswith(_OBEYED_HEADERS)
        if obeyed or not _HEADER_NAME.fullmatch(effect["name"]) or not effect["value"].isascii():
            self._say(course, "a response header that a script may not set: only X-… are")
            return
        course.headers.append((effect["name"].lower().encode(), effect["value"][:1000].encode()))

    async def _claim(self, course: Course, effect: dict[str, Any]) -> None:
        """Only of the person who is signing in, and never what others rely on."""
        attribute = attribute_of(effect["claim"])
        if effect["user"] != course.record.subject or attribute in _PROTECTED or attribute.startswith("identity/"):
            self._say(course, f"a claim that a script may not write: {effect['claim'][:100]}")
            return
        person = await course.whom(self._people)
        if person is None:
            return
        change = ClaimChange(
            store=person.user.store, user=person.user.id, attribute=attribute, value=effect["value"][:1024]
        )
        tenant, subject, application = course.request.tenant.id, course.record.subject, course.row.application

        async def write(batch: WriteBatch) -> None:
            await self._outbox.enqueue(
                batch, DeliveryKind.CLAIM_CHANGE, tenant=tenant, target=f"store://{change.store.lower()}/",
                payload=msgspec.json.encode([course.request.tenant.tenant.handle, change]),
                subject=subject, application=application,
            )  # fmt: skip

        course.writes.append(write)

    async def _change_claim(self, outgoing: Outgoing) -> Outcome:
        """One try to write a claim into its store."""
        handle, change = msgspec.json.decode(outgoing.payload, type=tuple[str, ClaimChange])
        tenant = await self._configuration.recent(handle)
        store = self._people.stores(tenant).get(change.store) if tenant is not None else None
        if tenant is None or store is None or not store.capabilities.update:
            return Outcome(Result.FAILED, error="the store cannot be written to")
        try:
            user = await store.find_by_id(change.user)
            if user is None:
                return Outcome(Result.FAILED, error=OF_NO_USE)
            attributes = {**user.attributes, change.attribute: change.value}
            await store.update_user(change.user, UserChanges(attributes=attributes))
        except StoreUnavailable as error:
            return Outcome(Result.RETRIED, error=error.detail, unreachable=True)
        except (UnknownUser, InvalidUser, NotSupported) as error:
            return Outcome(Result.FAILED, error=error.detail)
        async with self._database.transaction() as transaction:
            await touch_subject(transaction, tenant.id, SubjectId(outgoing.delivery.subject))
            await record(
                transaction,
                Event(
                    tenant=tenant.id,
                    type=EventType.USER_UPDATED,
                    at=self._outbox.clock.now(),
                    subject=outgoing.delivery.subject,
                    application=outgoing.delivery.application,
                    data={"attribute": change.attribute, "by": "sign-in script"},
                ),
            )
        return Outcome(Result.DELIVERED)

    def _say(self, course: Course, what: str) -> None:
        reason = told_without_secrets(course.record.script, what)
        self._log.warning(
            "effect of a script left undone", reason=reason, trace_id=course.request.trace_id,
            application=course.record.application,
        )  # fmt: skip
