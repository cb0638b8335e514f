"""Two administrators at once: whatever comes of it, a published script fits with the steps and secrets beside it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from tests.support.builders import Client, Person, Site
from tests.support.key_manager import call
from tests.support.script_admin import BASE, BOTH, PLAIN, publish, published, save
from tests.support.scripts import PASSWORD_STEP, SECOND_STEP, steps

pytestmark = pytest.mark.long

ROUNDS = 5
SECRETS = f"{BASE}/secrets/ADAPTIVE_AUTH"
CALLING = "function onLoginRequest(context) { executeStep(1); httpGet('https://a.example/', { key: secrets.key }); }"
ONE = [{"id": 1, "options": [{"idp": "LOCAL", "authenticator": "BasicAuthenticator"}]}]
TWO = [*ONE, {"id": 2, "options": [{"idp": "LOCAL", "authenticator": "totp"}]}]


@pytest.fixture
def client(site: Site) -> Client:
    return site.application("Shop", sign_in_steps=steps(PASSWORD_STEP, SECOND_STEP))


def at_once(*calls: Callable[[], httpx.Response]) -> list[int]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [each.result().status_code for each in [pool.submit(ask) for ask in calls]]


def drafted(site: Site, root: Person, client: Client, script: str) -> Callable[[], httpx.Response]:
    """What publishes it."""
    number = save(site, root, client, script).json()["version"]
    return partial(publish, site, root, client, number)


def test_publishing_and_taking_a_step_away(site: Site, root: Person, client: Client) -> None:
    def put(listed: list[dict[str, Any]]) -> httpx.Response:
        path = f"{BASE}/applications/{client.application.id}/authenticationSequence"
        return call(site, root, "PUT", path, json={"steps": listed})

    for _ in range(ROUNDS):
        published(site, root, client, PLAIN)
        assert put(TWO).status_code == 200
        both = drafted(site, root, client, BOTH)
        statuses = at_once(both, partial(put, ONE))
        assert sorted(statuses) in ([200, 400], [200, 409]), statuses


def test_publishing_and_deleting_a_secret(site: Site, root: Person, client: Client) -> None:
    for _ in range(ROUNDS):
        call(site, root, "POST", SECRETS, json={"name": "key", "value": "sesame"})
        calling = drafted(site, root, client, CALLING)
        statuses = at_once(calling, partial(call, site, root, "DELETE", f"{SECRETS}/key"))
        assert statuses in ([200, 409], [409, 204], [400, 204]), statuses
        published(site, root, client, PLAIN)
