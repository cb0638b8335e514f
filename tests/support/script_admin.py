"""Calls of the interfaces for sign-in scripts, as an administrator's client makes them."""

from typing import Any

import httpx

from tests.support.builders import Client, Person, Site
from tests.support.key_manager import call

BASE = "/api/server/v1"

PLAIN = "function onLoginRequest(context) { executeStep(1); }"
BOTH = "function onLoginRequest(context) { executeStep(1, { onSuccess: () => { executeStep(2); } }); }"
CLOSED = "function onLoginRequest(context) { fail({ errorCode: 'access_denied' }); }"


def script_path(client: Client | None) -> str:
    """None: the tenant's own script."""
    return f"{BASE}/sign-in-script" if client is None else f"{BASE}/applications/{client.application.id}/sign-in-script"


def save(site: Site, root: Person, client: Client | None, script: str, **body: Any) -> httpx.Response:
    return call(site, root, "POST", f"{script_path(client)}/versions", json={"script": script, **body})


def publish(site: Site, root: Person, client: Client | None, number: int) -> httpx.Response:
    return call(site, root, "POST", f"{script_path(client)}/versions/{number}/publish")


def published(site: Site, root: Person, client: Client | None, script: str, **body: Any) -> int:
    """Saved and published; the number of the version."""
    saved = save(site, root, client, script, **body)
    assert saved.status_code == 201, saved.text
    number: int = saved.json()["version"]
    answer = publish(site, root, client, number)
    assert answer.status_code == 200, answer.text
    return number
