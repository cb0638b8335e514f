"""People who call an interface by password or certificate: checked once, then remembered (decision 16).

A Basic header comes with every call, and a password's hash is meant to be slow. What was right is remembered under an
HMAC whose key lives and dies with the process, for as long as the account is what it was, and five minutes at most:
so long may a password changed in a directory still open the door. Everything else goes through the hash lane and the
lockout.
"""

import asyncio
import hmac
import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from identity.authn.authenticators.password import PasswordAuthenticator
from identity.authn.people import People, store_unavailable
from identity.authn.role_grants import qualified_groups
from identity.clock import SECOND, Clock, as_datetime
from identity.domain.users import Subject
from identity.errors import IdentityError, Unavailable
from identity.storage import attempts
from identity.storage.database import Database
from identity.storage.subjects import ensure_subject
from identity.web.messages import Request
from userstores.spi import StoreUnavailable, StoreUser

REMEMBERED_PEOPLE = 1000
REMEMBERED_FOR = 300 * SECOND

HasSubject = Callable[[Request, str], bool]
"""Whether an authority of ours issued the request's certificate, to this subject (RFC 4514)."""


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """`groups` as `role_grants.qualified_groups` puts them."""

    subject: Subject
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Remembered:
    person: KnownPerson
    tenant_version: int
    until: int


class RememberedPeople:
    def __init__(
        self,
        people: People,
        authenticator: PasswordAuthenticator,
        database: Database,
        has_subject: HasSubject,
        clock: Clock,
    ) -> None:
        self._people = people
        self._authenticator = authenticator
        self._database = database
        self._has_subject = has_subject
        self._clock = clock
        self._key = os.urandom(32)
        self._known: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._under_way: dict[bytes, asyncio.Lock] = {}

    async def remembered(self, request: Request, header: str) -> KnownPerson | None:
        """The person whose credentials these were not long ago, if nothing about the account has changed since."""
        return await self._recall(request, self._digest(request, b"basic", header.encode()))

    async def by_password(self, request: Request, header: str, username: str, password: str) -> KnownPerson | None:
        """The person whose password this is, else None. Raises IdentityError 429, Unavailable."""
        digest = self._digest(request, b"basic", header.encode())
        lock = self._under_way.setdefault(digest, asyncio.Lock())
        try:
            # A hundred calls with the same new password are one hash, not a hundred tries of one account.
            async with lock:
                known = await self._recall(request, digest)
                if known is None:
                    known = await self._try(request, username, password)
                    if known is not None:
                        self._remember(request, digest, known)
                return known
        finally:
            if not lock.locked():
                self._under_way.pop(digest, None)

    async def by_certificate(self, request: Request) -> KnownPerson | None:
        """The person whom the tenant's settings give this client certificate to."""
        certificate = request.client_certificate
        if certificate is None:
            return None
        thumbprint = sha256(certificate).hexdigest()
        for entry in request.tenant.settings.administrator_certificates:
            if entry.sha256:
                # A proxy may pass on what has expired, since nobody but this setting vouches for it.
                named = entry.sha256.lower() == thumbprint and _in_force(certificate, self._clock)
            else:
                named = bool(entry.subject) and self._has_subject(request, entry.subject)
            if named:
                return await self._of_username(request, certificate, entry.username)
        return None

    async def _of_username(self, request: Request, certificate: bytes, username: str) -> KnownPerson | None:
        digest = self._digest(request, b"certificate", certificate + username.encode())
        known = await self._recall(request, digest)
        if known is not None:
            return known
        try:
            user = await self._people.stores(request.tenant).find(username)
        except StoreUnavailable as error:
            raise store_unavailable(error) from None
        if user is None or not user.enabled:
            return None
        known = KnownPerson(await self._subject(request, user), qualified_groups(user))
        if not known.subject.enabled:
            return None
        self._remember(request, digest, known)
        return known

    async def _try(self, request: Request, username: str, password: str) -> KnownPerson | None:
        now = self._clock.now()
        answer = await self._authenticator.authenticate(request, username, password, now)
        if answer.error == "busy":
            raise IdentityError("slow_down", "Too many tries. Try again later.", status=429)
        if answer.error == "unavailable":
            raise Unavailable("user store", retry_after=5)
        if answer.user is None:
            return None
        subject = await self._subject(request, answer.user)
        if not subject.enabled:
            await self._authenticator.refuse_disabled(request, answer, now)
            return None
        async with self._database.transaction() as transaction:
            for counter in answer.counters:
                await attempts.clear_tries(transaction, request.tenant.id, counter)
        return KnownPerson(subject, qualified_groups(answer.user))

    async def _subject(self, request: Request, user: StoreUser) -> Subject:
        async with self._database.transaction() as transaction:
            return await ensure_subject(
                transaction,
                request.tenant.id,
                store=user.store,
                external_id=user.id,
                username=user.username,
                now=self._clock.now(),
            )

    def _digest(self, request: Request, kind: bytes, value: bytes) -> bytes:
        return hmac.digest(self._key, b"%d\0%s\0%s" % (request.tenant.id, kind, value), "sha256")

    async def _recall(self, request: Request, digest: bytes) -> KnownPerson | None:
        known = self._known.get(digest)
        if known is None:
            return None
        if known.until > self._clock.now() and known.tenant_version == request.tenant.tenant.version:
            current = await self._people.subject(request.tenant, known.person.subject.id)
            # Version and epoch rise with whatever happens to the account through us, a new password included.
            if current == known.person.subject:
                return known.person
        self._known.pop(digest, None)
        return None

    def _remember(self, request: Request, digest: bytes, person: KnownPerson) -> None:
        until = self._clock.now() + REMEMBERED_FOR
        self._known[digest] = _Remembered(person, request.tenant.tenant.version, until)
        if len(self._known) > REMEMBERED_PEOPLE:
            self._known.popitem(last=False)


def _in_force(certificate: bytes, clock: Clock) -> bool:
    from cryptography.x509 import load_der_x509_certificate

    try:
        read = load_der_x509_certificate(certificate)
    except ValueError:
        return False
    return read.not_valid_before_utc <= as_datetime(clock.now()) <= read.not_valid_after_utc
