"""The key sets of clients: by value, or fetched, kept, and fetched again when a key is unknown."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from identity.config import Purpose
from identity.domain.applications import Application, ApplicationId, ClientId
from identity.messaging.guarded_client import Answer, OutboundFailed, OutboundRefused
from identity.tokens.client_keys import ClientKeys
from identity.tokens.jose import InvalidToken
from tests.attacks.forging import jwks, private_jwk, public_jwk
from tests.support.in_process import SetClock
from tests.tokens.made_keys import client_key

URI = "https://client.example/jwks"


def application(**settings: Any) -> Application:
    return Application(id=ApplicationId("a"), client_id=ClientId("c"), name="Sample", **settings)


BY_URI = application(jwks_uri=URI)


def key_set(*kids: str) -> bytes:
    return json.dumps(jwks(*(public_jwk(client_key("P-256"), kid=kid) for kid in kids))).encode()


class Publisher:
    """Stands in for the guarded client: answers with `body`, or raises `failure`, and keeps what was asked."""

    def __init__(self, body: bytes = b"", status: int = 200) -> None:
        self.body, self.status = body, status
        self.failure: Exception | None = None
        self.asked: list[tuple[str, Purpose, int]] = []
        self.let_go: asyncio.Event | None = None

    async def fetch(self, url: str, *, purpose: Purpose, limit: int = 0) -> Answer:
        self.asked.append((url, purpose, limit))
        if self.let_go is not None:
            await self.let_go.wait()
        if self.failure is not None:
            raise self.failure
        return Answer(self.status, {}, self.body)


class Place:
    """A publisher, the clock, and the keys as they are had from it."""

    def __init__(self) -> None:
        self.publisher = Publisher(key_set("one"))
        self.clock = SetClock()
        self.keys = ClientKeys(self.publisher, self.clock)

    async def kids(self, kid: str | None = None) -> list[str | None] | None:
        """What the set holds, None when there is no set."""
        try:
            found = await self.keys.keys_of(BY_URI, kid=kid)
        except InvalidToken:
            return None
        return [key.kid for key in found.keys]

    @property
    def asked(self) -> int:
        return len(self.publisher.asked)


def run(story: Callable[[Place], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story(Place()))


def test_keys_by_value_ask_nobody() -> None:
    async def story(place: Place) -> None:
        by_value = application(jwks=key_set("one").decode())
        found = await place.keys.keys_of(by_value, kid="unknown")
        assert [key.kid for key in found.keys] == ["one"]
        assert await place.keys.keys_of(by_value, kid=None) is found
        assert place.asked == 0

    run(story)


def test_an_application_without_keys_verifies_nothing() -> None:
    async def story(place: Place) -> None:
        for bad in (application(), application(jwks="{}"), application(jwks="[")):
            with pytest.raises(InvalidToken):
                await place.keys.keys_of(bad, kid=None)

    run(story)


def test_a_set_is_fetched_once_and_kept_for_five_minutes() -> None:
    async def story(place: Place) -> None:
        for _ in range(3):
            assert await place.kids("one") == ["one"]
        assert place.publisher.asked == [(URI, Purpose.CLIENT_METADATA, 65_536)]
        place.publisher.body = key_set("two")
        place.clock.advance(299)
        assert await place.kids() == ["one"]
        place.clock.advance(1)
        assert await place.kids() == ["two"]
        assert place.asked == 2

    run(story)


@pytest.mark.spec("OpenID Connect Core", "10.1.1")
def test_an_unknown_kid_is_looked_for_again_at_most_once_a_minute() -> None:
    async def story(place: Place) -> None:
        assert await place.kids("one") == ["one"]
        place.publisher.body = key_set("one", "two")
        assert await place.kids("two") == ["one", "two"]
        assert place.asked == 2
        place.publisher.body = key_set("one", "two", "three")
        for number in range(20):
            assert await place.kids(f"unknown-{number}") == ["one", "two"]
        place.clock.advance(59)
        assert await place.kids("three") == ["one", "two"]
        assert place.asked == 2
        place.clock.advance(1)
        assert await place.kids("two") == ["one", "two"]
        assert place.asked == 2
        assert await place.kids("three") == ["one", "two", "three"]
        assert place.asked == 3

    run(story)


@pytest.mark.parametrize(
    "failure",
    [
        (200, b"not JSON", None), (200, b'{"keys":1}', None), (404, key_set("one"), None), (302, key_set("one"), None),
        (200, json.dumps(jwks(private_jwk(client_key("P-256")))).encode(), None), (500, b"", None),
        (200, b'{"keys":[],"keys":[]}', None), (200, b"", OutboundFailed("down")), (200, b"", OutboundRefused("no")),
    ],
)  # fmt: skip
def test_a_failure_verifies_nothing_and_is_kept_for_ten_seconds(failure: Any) -> None:
    async def story(place: Place) -> None:
        place.publisher.status, place.publisher.body, place.publisher.failure = failure
        for _ in range(3):
            assert await place.kids("one") is None
        assert place.asked == 1
        place.publisher.status, place.publisher.body, place.publisher.failure = 200, key_set("one"), None
        place.clock.advance(9)
        assert await place.kids("one") is None
        place.clock.advance(1)
        assert await place.kids("one") == ["one"]
        assert place.asked == 2

    run(story)


def test_a_former_set_counts_until_its_time_is_over_and_no_longer() -> None:
    async def story(place: Place) -> None:
        assert await place.kids("one") == ["one"]
        place.publisher.failure = OutboundFailed("down")
        place.clock.advance(60)
        assert await place.kids("two") == ["one"]
        assert await place.kids("two") == ["one"]
        assert place.asked == 2
        place.clock.advance(240)
        assert await place.kids("one") is None
        assert place.asked == 3

    run(story)


def test_many_who_ask_at_once_cost_one_request() -> None:
    async def story(place: Place) -> None:
        place.publisher.let_go = asyncio.Event()
        asking = [asyncio.create_task(place.kids("one")) for _ in range(50)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        place.publisher.let_go.set()
        assert await asyncio.gather(*asking) == [["one"]] * 50
        assert place.asked == 1

    run(story)


def test_whose_key_is_at_hand_waits_for_nobody() -> None:
    """Attack row 13: a stranger's unknown `kid` and a slow address must not hold up the client itself."""

    async def story(place: Place) -> None:
        assert await place.kids("one") == ["one"]
        place.clock.advance(60)
        place.publisher.let_go = asyncio.Event()
        stranger = asyncio.create_task(place.kids("unknown"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert place.asked == 2
        assert await asyncio.wait_for(place.kids("one"), 5) == ["one"]
        assert not stranger.done()
        place.publisher.let_go.set()
        assert await stranger == ["one"]

    run(story)


def test_who_goes_away_takes_the_answer_from_nobody() -> None:
    async def story(place: Place) -> None:
        place.publisher.let_go = asyncio.Event()
        first, second = (asyncio.create_task(place.kids("one")) for _ in range(2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        place.publisher.let_go.set()
        assert await second == ["one"]
        assert first.cancelled()
        assert place.asked == 1

    run(story)


def test_keys_of_issuers_are_kept_apart() -> None:
    async def story(place: Place) -> None:
        assert await place.kids("one") == ["one"]
        await place.keys.issuer_keys(URI, "one")
        assert [purpose for _, purpose, _ in place.publisher.asked] == [Purpose.CLIENT_METADATA, Purpose.ISSUER_KEYS]

    run(story)


def test_the_number_of_addresses_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("identity.tokens.client_keys.MAXIMUM_PLACES", 3)

    async def story(place: Place) -> None:
        for number in (1, 2, 3, 4, 4, 3, 2):
            await place.keys.issuer_keys(f"{URI}/{number}", None)
        assert place.asked == 4
        await place.keys.issuer_keys(f"{URI}/1", None)
        assert place.asked == 5

    run(story)
