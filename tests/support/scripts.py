"""Sign-in scripts of a test's applications, and the steps they decide over."""

import time
from collections.abc import Mapping
from typing import Any

import pyotp

from adaptive_auth.script import Script
from identity.administration.context import Administration
from identity.domain.tenants import SignInStep
from identity.storage.scripts import insert_bundle
from tests.support.browser import Browser, Page
from tests.support.builders import Client, Person, Site

PASSWORD_STEP = ("BasicAuthenticator",)
SECOND_STEP = ("totp", "FIDOAuthenticator", "email-otp-authenticator", "backup-code-authenticator")


def steps(*names: tuple[str, ...]) -> list[dict[str, Any]]:
    """`sign_in_steps` as an administrator writes them."""
    return [{"authenticators": list(step)} for step in names]


def script_hash(site: Site, source: str, libraries: Mapping[str, str] | None = None) -> str:
    """A script kept in the tenant; its hash."""
    script = Script(source, dict(libraries or {}))

    async def keep(administration: Administration) -> None:
        now = administration.clock.now()
        async with administration.database.transaction() as transaction:
            await insert_bundle(transaction, site.tenant.id, script.hash, script.to_json(), now)

    site.administer(keep)
    return script.hash


def scripted(site: Site, source: str, *more: tuple[str, ...], **settings: Any) -> Client:
    """An application whose sign-in a script decides; its steps are the password and `more`."""
    return site.application(
        sign_in_steps=steps(PASSWORD_STEP, *(more or (SECOND_STEP,))),
        sign_in_script=script_hash(site, source),
        **settings,
    )


def with_password(page: Page, person: Person) -> Page:
    return page.submit("login-submit", username=person.username, password=person.password)


def enrol_app(page: Page) -> tuple[str, Page]:
    """On the page that sets an app up, or the one that asks which factor: its secret, and what follows."""
    if page.has("factor-submit"):
        page = page.submit("factor-submit", authenticator="totp")
    secret = page.element("totp-secret").text.replace(" ", "")
    return secret, page.submit("enrol-submit", code=pyotp.TOTP(secret).now())


def app_code(secret: str, *, later: int = 0) -> str:
    """What the app shows, or will show so many steps later: each is taken once."""
    return pyotp.TOTP(secret).at(int(time.time()) + 30 * later)


def begun(site: Site, client: Client, browser: Browser | None = None, **parameters: str | None) -> Page:
    return (browser or site.browser()).get(site.authorize_url(client, **parameters))


def denial(site: Site) -> str:
    """The reason of the tenant's last denied sign-in."""
    import json

    found = [event for event in site.events() if event["type"] == "user:session:denied"]
    assert found, "no sign-in was denied"
    reason: str = json.loads(found[-1]["data"])["reason"]
    return reason


__all__ = [
    "PASSWORD_STEP", "SECOND_STEP", "SignInStep", "app_code", "begun", "denial", "enrol_app", "script_hash",
    "scripted", "steps", "with_password",
]  # fmt: skip
