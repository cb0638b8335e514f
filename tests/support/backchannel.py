"""Backchannel authentication (OpenID CIBA Core) as a client and the person see it."""

import time
from typing import Any

from identity.domain.applications import CIBA
from tests.support.browser import Browser, Page
from tests.support.builders import Client, Person, Site
from tests.support.key_holder import KeyHolder, new_jti

Answer = dict[str, Any]

PATH = "/oauth2/ciba_authorize"


def bank(site: Site, **settings: Any) -> Client:
    values: dict[str, Any] = {"grant_types": (CIBA, "refresh_token"), "redirect_uris": ()}
    return site.application("Bank", **(values | settings))


def ask(site: Site, client: Client, **form: str | None) -> tuple[int, Answer]:
    given: dict[str, str | None] = {"scope": "openid", "login_hint": "jane", **form}
    data = {name: value for name, value in given.items() if value is not None}
    response = site.http.post("/oauth2/ciba", data=data, auth=client.basic)
    return response.status_code, response.json()


def asked(site: Site, client: Client, **form: str | None) -> Answer:
    status, answer = ask(site, client, **form)
    assert status == 200, answer
    return answer


def refusal(site: Site, client: Client, **form: str | None) -> str:
    status, answer = ask(site, client, **form)
    assert status == 400, answer
    assert answer.keys() == {"error", "error_description"}
    error: str = answer["error"]
    return error


def poll(site: Site, client: Client, auth_req_id: str) -> tuple[int, Answer]:
    response = site.token(client, grant_type=CIBA, auth_req_id=auth_req_id)
    return response.status_code, response.json()


def error_of(site: Site, client: Client, auth_req_id: str) -> str:
    status, answer = poll(site, client, auth_req_id)
    assert status == 400, answer
    error: str = answer["error"]
    return error


def waiting(site: Site, person: Person, browser: Browser | None = None) -> Page:
    page = (browser or site.browser()).get(f"{site.base}{PATH}")
    if page.has("login-submit"):
        page = page.submit("login-submit", username=person.username, password=person.password)
    return page


def hint_token(site: Site, client: Client, holder: KeyHolder, now: int | None = None, **claims: Any) -> str:
    at = int(time.time()) if now is None else now
    told = {"iss": client.client_id, "aud": site.issuer, "iat": at, "exp": at + 60}
    return holder.sign({"kid": holder.kid}, told | claims)


def request_object(site: Site, client: Client, holder: KeyHolder, **claims: Any) -> str:
    at = int(time.time())
    told = {
        "iss": client.client_id, "aud": site.issuer, "iat": at, "nbf": at, "exp": at + 300, "jti": new_jti(),
        "scope": "openid", "login_hint": "jane", "binding_message": "W4SCT",
    }  # fmt: skip
    return holder.sign({"kid": holder.kid}, told | claims)
