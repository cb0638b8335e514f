"""The steps of a client that authenticates by assertions (RFC 7523)."""

from typing import Any

import httpx

from tests.support.builders import Client, Site
from tests.support.in_process import SetClock
from tests.support.key_holder import KeyHolder, assertion_form

GRANT = {"grant_type": "client_credentials"}
METHODS = ("private_key_jwt", "client_secret_jwt")


def outcome(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("error", "")


def holder_of(site: Site, **settings: Any) -> tuple[Client, KeyHolder]:
    key = KeyHolder(settings.pop("algorithm", "ES256"))
    settings = {"token_endpoint_auth_method": "private_key_jwt", "jwks": key.jwks} | settings
    return site.machine(**settings), key


def secret_holder(client: Client, secret: str | None = None) -> KeyHolder:
    return KeyHolder.of_secret(secret or str(client.secret))


def ask(site: Site, assertion: str, endpoint: str = "token", **form: str) -> httpx.Response:
    return site.http.post(f"/oauth2/{endpoint}", data=assertion_form(assertion, **GRANT, **form))


def seconds(clock: SetClock) -> int:
    return clock.now() // 1_000_000


def of_method(site: Site, method: str) -> tuple[Client, KeyHolder]:
    if method == "private_key_jwt":
        return holder_of(site)
    client = site.machine(token_endpoint_auth_method=method)
    return client, secret_holder(client)
