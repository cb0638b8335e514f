"""The keys of clients and of trusted token issuers: by value, or fetched from an address and kept for a while.

OpenID Connect Core §10.1.1: an unknown `kid` means that the signer has new keys, so the set is fetched again; for
this reason at most once a minute, since anybody can write an unknown `kid`. When a set cannot be had, nothing is
verified by it.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from identity.clock import SECOND, Clock
from identity.config import Purpose
from identity.domain.applications import Application
from identity.errors import IdentityError
from identity.messaging.guarded_client import Answer
from identity.tokens.compact import InvalidToken, parse_object
from identity.tokens.public_keys import PublicKeys

KEPT = 300 * SECOND
"""Microseconds that a fetched set is used without looking again."""
FAILURE_KEPT = 10 * SECOND
REFETCH_AFTER = 60 * SECOND
MAXIMUM_PLACES = 1_000
MAXIMUM_BYTES = 65_536


class Fetches(Protocol):
    """What is needed of the guarded client."""

    async def fetch(self, url: str, *, purpose: Purpose, limit: int = MAXIMUM_BYTES) -> Answer: ...


@dataclass(slots=True)
class _Place:
    """What is known of the keys at one address. Times are microseconds, of the clock or long ago."""

    keys: PublicKeys | None = None
    fetched_at: int = 0
    tried_at: int = 0
    looked_at: int = 0
    """When an unknown `kid` last was the reason; a signer who changes keys right after the first fetch is not kept
    waiting."""
    problem: str = ""
    request: asyncio.Task[None] | None = None

    def present(self, now: int) -> PublicKeys | None:
        return self.keys if now - self.fetched_at < KEPT else None

    def lacks(self, now: int, kid: str | None) -> bool:
        keys = self.present(now)
        return keys is None or (kid is not None and not keys.has(kid))

    def may_ask(self, now: int) -> bool:
        if self.present(now) is None:
            return now - self.tried_at >= FAILURE_KEPT
        return now - self.looked_at >= REFETCH_AFTER


class ClientKeys:
    def __init__(self, guarded_client: Fetches, clock: Clock) -> None:
        self._client = guarded_client
        self._clock = clock
        self._places: OrderedDict[tuple[Purpose, str], _Place] = OrderedDict()

    async def keys_of(self, application: Application, *, kid: str | None) -> PublicKeys:
        """The application's registered keys; `kid`: the one that will be looked for. Raises InvalidToken."""
        if application.jwks is not None:
            return _by_value(application.jwks)
        if application.jwks_uri is None:
            raise InvalidToken("the application has no keys registered")
        return await self._at(Purpose.CLIENT_METADATA, application.jwks_uri, kid)

    async def issuer_keys(self, uri: str, kid: str | None) -> PublicKeys:
        """The keys of a trusted token issuer, whose address an administrator registered. Raises InvalidToken."""
        return await self._at(Purpose.ISSUER_KEYS, uri, kid)

    async def _at(self, purpose: Purpose, uri: str, kid: str | None) -> PublicKeys:
        place = self._place(purpose, uri)
        now = self._clock.now()
        # Whose key is at hand waits for nobody: any stranger can have the set fetched again, by an unknown `kid`.
        if place.lacks(now, kid) and (place.request is not None or place.may_ask(now)):
            if place.present(now) is not None:
                place.looked_at = now
            await self._asked(place, purpose, uri)
        keys = place.present(self._clock.now())
        if keys is None:
            raise InvalidToken(f"keys at {uri}: {place.problem}")
        return keys

    async def _asked(self, place: _Place, purpose: Purpose, uri: str) -> None:
        """Whoever comes while a request is under way waits for it, and takes it from nobody by going away."""
        if place.request is None:
            place.request = asyncio.create_task(self._fetch(place, purpose, uri))
        await asyncio.shield(place.request)

    async def _fetch(self, place: _Place, purpose: Purpose, uri: str) -> None:
        """A failure leaves the former set as it is, until its time is over."""
        try:
            answer = await self._client.fetch(uri, purpose=purpose, limit=MAXIMUM_BYTES)
            if answer.status != 200:
                raise InvalidToken(f"status {answer.status}")
            place.keys = PublicKeys(parse_object(answer.body))
            place.fetched_at = self._clock.now()
        except IdentityError as error:
            place.problem = error.detail
        finally:
            place.tried_at = self._clock.now()
            place.request = None

    def _place(self, purpose: Purpose, uri: str) -> _Place:
        place = self._places.get((purpose, uri))
        if place is None:
            place = self._places[purpose, uri] = _Place()
            if len(self._places) > MAXIMUM_PLACES:
                self._places.popitem(last=False)
        else:
            self._places.move_to_end((purpose, uri))
        return place


@lru_cache(MAXIMUM_PLACES)
def _by_value(jwks: str) -> PublicKeys:
    return PublicKeys(parse_object(jwks.encode()))
