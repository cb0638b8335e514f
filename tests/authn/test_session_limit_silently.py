"""`prompt=none` where a session and its limit are all that it takes: nobody has to be asked."""

import pytest

from tests.support.browser import Browser
from tests.support.builders import Client, Site, response_parameters
from tests.support.scripts import PASSWORD_STEP, begun, scripted, steps, with_password

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

LIMIT = ("SessionExecutor",)
BY_SCRIPT = "var onLoginRequest = function (c) { executeStep(1, { onSuccess: function () { executeStep(2); } }); };"


def limited(site: Site, **settings: object) -> Client:
    return site.application("Limited", sign_in_steps=steps(PASSWORD_STEP, LIMIT), **settings)


def signed_in(site: Site, client: Client) -> Browser:
    browser = site.browser()
    assert "code" in response_parameters(with_password(begun(site, client, browser), site.jane))
    return browser


def silently(site: Site, client: Client, browser: Browser, **more: str) -> dict[str, str]:
    return response_parameters(begun(site, client, browser, prompt="none", **more))


@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
@pytest.mark.parametrize("script", [False, True])
def test_a_session_within_the_limit_is_enough(site: Site, script: bool) -> None:
    client = scripted(site, BY_SCRIPT, LIMIT) if script else limited(site)
    browser = signed_in(site, client)
    assert "code" in silently(site, client, browser)
    assert "code" in silently(site, client, browser), "and it counts anew each time"


@pytest.mark.parametrize("script", [False, True])
def test_at_the_limit_somebody_has_to_choose(site: Site, script: bool) -> None:
    client = scripted(site, BY_SCRIPT, LIMIT) if script else limited(site)
    browser = signed_in(site, client)
    signed_in(site, site.application("Elsewhere"))
    assert silently(site, client, browser)["error"] == "login_required"
    assert begun(site, client, browser).has("sessions-end")


def test_the_limit_stands_in_for_nothing_else(site: Site) -> None:
    """Attack row 15: what has not been shown is asked for, whoever must not be asked."""
    browser = signed_in(site, site.application("Plain"))
    second = site.application("Second", sign_in_steps=steps(PASSWORD_STEP, ("totp",), LIMIT))
    assert silently(site, second, browser)["error"] == "login_required"
    assert silently(site, limited(site), browser, acr_values="2")["error"] == "login_required"
    assert silently(site, limited(site), site.browser())["error"] == "login_required"


@pytest.mark.spec("OpenID Connect Core", "3.1.2.6")
def test_consent_is_not_asked_for_silently(site: Site) -> None:
    browser = signed_in(site, site.application("Plain"))
    assert silently(site, limited(site, skip_consent=False), browser)["error"] == "consent_required"
