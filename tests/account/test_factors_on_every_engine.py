"""From the account page to a sign-in, on a real server over each database."""

import json
import re

import pytest

from tests.account.factor_api import CODES, TOTP_API, secret_of
from tests.support.builders import Site
from tests.support.key_manager import bearer
from tests.support.scripts import app_code, steps
from tests.support.soft_key import SoftKey

pytestmark = pytest.mark.long

SECOND = ("totp", "backup-code-authenticator", "FIDOAuthenticator")


def test_set_up_in_the_account_and_used_at_sign_in(site: Site) -> None:
    person = site.person("jane", email="jane@example.org", email_verified=True)
    browser = site.browser()
    page = browser.get(f"{site.base}/account/sign-in?next=factors")
    page = page.submit("login-submit", username="jane", password=person.password)
    page = browser.get(f"{site.base}/account/factors/recovery-codes")
    first, second, *_ = (item.text for item in page.element("recovery-codes").all("code"))
    assert "10 codes left" in page.submit("enrol-submit").text

    # Now there is a second factor: another one is added with both.
    page = browser.get(f"{site.base}/account/factors/app")
    page = page.submit("login-submit", username="jane", password=person.password)
    page = page.submit("another-way").submit("factor-submit", authenticator="backup-code-authenticator")
    assert "9 codes left" in page.submit("code-submit", code=first).text
    page = browser.get(f"{site.base}/account/factors/app")
    secret = page.element("totp-secret").text.replace(" ", "")
    page = page.submit("enrol-submit", code=app_code(secret))
    assert "Authenticator app" in page.element("factors").text

    client = site.application(sign_in_steps=steps(("BasicAuthenticator",), SECOND))
    for way, code in (("totp", app_code(secret, later=1)), ("backup-code-authenticator", second)):
        page = site.sign_in(client, person)
        page = page.submit("another-way").submit("factor-submit", authenticator=way)
        assert page.submit("code-submit", code="000000").status == 422
        page = page.submit("code-submit", code=code)
        assert page.left_for is not None, page
        assert "code" in page.left_for.parameters


def test_a_passkey_alone(site: Site) -> None:
    def asked(text: str) -> dict[str, object]:
        found = re.search(r'id="passkey-options"[^>]*>(.*?)</script>', text)
        assert found is not None
        options: dict[str, object] = json.loads(found[1])
        return options

    person, browser = site.person("jane"), site.browser()
    key = SoftKey(origin=site.server.base_url, counter=1)
    page = browser.get(f"{site.base}/account/sign-in")
    page.submit("login-submit", username="jane", password=person.password)
    page = browser.get(f"{site.base}/account/factors/passkey")
    done = page.submit("passkey-use", forged={"response": key.create(asked(page.text))})
    assert done.url.endswith("?notice=added")
    client = site.application()
    for _ in range(2):
        page = site.browser().get(site.authorize_url(client))
        page = page.submit("passkey-use", forged={"response": key.get(asked(page.text))})
        assert page.left_for is not None, page
        assert "code" in page.left_for.parameters


def test_set_up_through_an_application(site: Site) -> None:
    person = site.person("jane")
    client = site.application(management_scopes=("internal_own_factor_mgt",))
    headers = bearer(site.tokens(client, person, scope="openid internal_own_factor_mgt")["access_token"])
    for action in ("INIT", "REFRESH"):
        secret = secret_of(site.http.post(TOTP_API, headers=headers, json={"action": action}))
    proof = {"action": "VALIDATE", "verificationCode": app_code(secret)}
    assert site.http.post(TOTP_API, headers=headers, json=proof).json() == {"isValid": True}
    assert site.http.post(TOTP_API, headers=headers, json=proof).status_code == 400
    assert len(site.http.post(CODES, headers=headers).json()["backupCodes"]) == 10
    assert site.http.delete(TOTP_API, headers=headers).status_code == 200
    assert site.http.get(TOTP_API, headers=headers).json() == {"isEnrolled": False}
