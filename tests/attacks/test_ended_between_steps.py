"""Attack row 16: what ends between two steps of a sign-in ends the sign-in, too."""

from collections.abc import Callable

import pytest

from identity.administration import applications, users
from tests.support.browser import Page
from tests.support.builders import Client, Person, Site
from tests.support.scripts import PASSWORD_STEP, SECOND_STEP, app_code, begun, enrol_app, scripted, steps, with_password

SCRIPT = "var onLoginRequest = function (c) { executeStep(1, { onSuccess: function (c) { executeStep(2); } }); };"
Cause = Callable[[Site, Client, Person], object]


def _disable(site: Site, client: Client, person: Person) -> object:
    return site.in_tenant(lambda a, t: users.set_user_enabled(a, t, person.username, False))


def _delete(site: Site, client: Client, person: Person) -> object:
    return site.in_tenant(lambda a, t: users.delete_user(a, t, person.username))


def _close(site: Site, client: Client, person: Person) -> object:
    site.update(client, enabled=False)
    return client


def _forget(site: Site, client: Client, person: Person) -> object:
    return site.administer(lambda a: applications.delete_application(a, site.tenant, client.client_id))


CAUSES: dict[str, Cause] = {
    "person disabled": _disable,
    "person deleted": _delete,
    "application disabled": _close,
    "application deleted": _forget,
}


@pytest.mark.parametrize("kind", ["plain", "scripted"])
@pytest.mark.parametrize("cause", CAUSES)
def test_nobody_gets_in_after_it_has_ended(site: Site, cause: str, kind: str) -> None:
    person = site.person("mallory")
    client = scripted(site, SCRIPT, ("totp",)) if kind == "scripted" else two_steps(site)
    secret, _ = enrol_app(with_password(begun(site, client), person))
    browser = site.browser()
    page = with_password(begun(site, client, browser), person)
    assert page.has("code-submit")
    CAUSES[cause](site, client, person)
    page = page.submit("code-submit", code=app_code(secret, later=1))
    assert not _carries_code(page)
    if cause.startswith("person"):
        assert browser.get(f"{site.base}/account").has("login-submit"), "and there is no session"


def test_a_locked_second_factor_looks_like_a_wrong_one(site: Site) -> None:
    """Attack rows 21 and 22: the lock holds over all of the person's second factors, and is not told."""
    client = two_steps(site)
    secret, _ = enrol_app(with_password(begun(site, client), site.jane))
    page = with_password(begun(site, client), site.jane)
    answers = []
    for _ in range(6):
        page = page.submit("code-submit", code="000000")
        answers.append((page.status, page.text))
    locked = page.submit("code-submit", code=app_code(secret, later=1))
    assert (locked.status, locked.text) == answers[0]
    again = with_password(begun(site, client), site.jane)
    assert again.submit("code-submit", code=app_code(secret, later=1)).status == 422


def two_steps(site: Site) -> Client:
    return site.application(sign_in_steps=steps(PASSWORD_STEP, SECOND_STEP))


def _carries_code(page: Page) -> bool:
    return page.left_for is not None and "code" in page.left_for.parameters
