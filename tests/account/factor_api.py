"""An account application that a person has signed in to: it changes their factors through `/api/users`."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from identity.authn.authenticators import TOTP
from identity.domain.management_scopes import OWN_FACTORS_SCOPE
from tests.support.builders import Client, Person, Site, response_parameters
from tests.support.factors import FactorBench
from tests.support.in_process import TimedSite
from tests.support.key_manager import bearer
from tests.support.soft_key import SoftKey

TOTP_API = "/api/users/v1/me/totp"
PASSKEYS = "/api/users/v2/me/webauthn"
CODES = "/api/users/v1/me/backup-codes"
TRACES = "/api/users/v1/me/sign-in-traces"


class Account:
    """One access token of a person."""

    def __init__(self, site: TimedSite, tokens: dict[str, Any]) -> None:
        self.site = site
        self.tokens = tokens

    def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        return self.site.http.request(method, path, headers=bearer(self.tokens["access_token"]), **request)

    def totp(self, action: str, code: str | int | None = None) -> httpx.Response:
        body: dict[str, Any] = {"action": action} | ({} if code is None else {"verificationCode": code})
        return self.call("POST", TOTP_API, json=body)

    def begin_app(self, action: str = "INIT") -> str:
        """The secret of a new app."""
        return secret_of(self.totp(action))

    def add_app(self) -> str:
        secret = self.begin_app()
        assert self.totp("VALIDATE", FactorBench(self.site).app_code(secret)).json() == {"isValid": True}
        self.site.clock.advance(30)
        return secret

    def start(self) -> dict[str, Any]:
        answer = self.call("POST", f"{PASSKEYS}/start-registration")
        assert answer.status_code == 200, answer.text
        started: dict[str, Any] = answer.json()
        return started

    def finish(self, started: dict[str, Any], key: SoftKey, **changes: Any) -> httpx.Response:
        credential = json.loads(key.create(started["publicKeyCredentialCreationOptions"], **changes))
        body = {"requestId": started["requestId"], "credential": credential}
        return self.call("POST", f"{PASSKEYS}/finish-registration", json=body)

    def passkeys(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", PASSKEYS).json()
        return found

    def codes_left(self) -> int:
        left: int = self.call("GET", CODES).json()["remainingBackupCodesCount"]
        return left


def account_application(site: Site, **settings: Any) -> Client:
    return site.application("My Account", management_scopes=(OWN_FACTORS_SCOPE,), **settings)


def account(
    site: TimedSite, person: Person, *, client: Client | None = None, code: str = "", scope: str = OWN_FACTORS_SCOPE
) -> Account:
    """Signed in anew; with two factors where a code of an app is given."""
    client = client or account_application(site)
    page = site.sign_in(client, person, scope=f"openid {scope}", acr_values="2" if code else None)
    if code:
        if not page.has("code-submit"):
            page = page.submit("another-way").submit("factor-submit", authenticator=TOTP)
        page = page.submit("code-submit", code=code)
    answer = site.redeem(client, response_parameters(page)["code"])
    assert answer.status_code == 200, answer.text
    return Account(site, answer.json())


def secret_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    uri = base64.b64decode(answer.json()["qrCodeUrl"]).decode()
    assert uri.startswith("otpauth://totp/")
    return parse_qs(urlsplit(uri).query)["secret"][0]


def event_types(site: TimedSite) -> list[str]:
    return [event["type"] for event in site.events()]
