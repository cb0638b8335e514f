"""Token exchange (RFC 8693) as a client does it."""

from typing import Any

from identity.domain.applications import TOKEN_EXCHANGE
from tests.attacks.targets import tokens_of
from tests.support.browser import Browser
from tests.support.builders import Client, Site

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
Answer = dict[str, Any]


def portal(site: Site, service: Client | None = None, **settings: Any) -> Client:
    """Where people sign in. Its tokens are for `service` too."""
    audiences = (service.client_id,) if service else ()
    values: dict[str, Any] = {"scopes": ("read", "write"), "audiences": audiences, "access_token_type": "jwt"}
    return site.application("Portal", **(values | settings))


def service(site: Site, **settings: Any) -> Client:
    """Who exchanges."""
    values: dict[str, Any] = {
        "grant_types": (TOKEN_EXCHANGE, "client_credentials"), "redirect_uris": (), "scopes": ("read", "write"),
        "access_token_type": "jwt",
    }  # fmt: skip
    return site.application("Service", **(values | settings))


def exchange(site: Site, client: Client, token: str, kind: str = ACCESS_TOKEN, **form: str) -> tuple[int, Answer]:
    response = site.token(client, grant_type=TOKEN_EXCHANGE, subject_token=token, subject_token_type=kind, **form)
    return response.status_code, response.json()


def exchanged(site: Site, client: Client, token: str, kind: str = ACCESS_TOKEN, **form: str) -> Answer:
    status, answer = exchange(site, client, token, kind, **form)
    assert status == 200, answer
    return answer


def refusal(site: Site, client: Client, token: str, kind: str = ACCESS_TOKEN, **form: str) -> str:
    status, answer = exchange(site, client, token, kind, **form)
    assert status == 400, answer
    error: str = answer["error"]
    return error


def tokens_in(site: Site, client: Client, browser: Browser, **parameters: str) -> Answer:
    return tokens_of(site, client, site.jane, browser, **parameters)
