"""Passkeys in Chromium with a virtual authenticator: made in the account, used alone, offered in the field, as a second
factor."""

from typing import TYPE_CHECKING, Any

import pytest

from identity.administration.context import Administration
from identity.storage.configuration import TenantConfiguration
from identity.storage.enrolled_factors import delete_factors_of_subject
from tests.support.builders import Client, Person, Site
from tests.support.client_site import ClientSite
from tests.support.scripts import steps
from tests.ui.journeys import fill_login, forgive_status

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page


class VirtualKey:
    """An authenticator of one page, with a finger that is there or not."""

    def __init__(self, page: "Page") -> None:
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
            "isUserVerified": True, "automaticPresenceSimulation": True,
        }  # fmt: skip
        self.id = self._session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def set_presence(self, present: bool) -> None:
        self._send("setAutomaticPresenceSimulation", enabled=present)

    def set_verified(self, verified: bool) -> None:
        self._send("setUserVerified", isUserVerified=verified)

    def credentials(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._send("getCredentials")["credentials"]
        return found

    def _send(self, method: str, **parameters: Any) -> Any:
        return self._session.send(f"WebAuthn.{method}", {"authenticatorId": self.id, **parameters})


@pytest.fixture
def client(site: Site, application_site: ClientSite) -> Client:
    return site.application(redirect_uris=(application_site.redirect_uri,))


@pytest.fixture
def jane(site: Site) -> Person:
    return site.jane


def add_passkey(page: "Page", site: Site, person: Person) -> VirtualKey:
    """In the account, right after signing in; signed out afterwards."""
    key = VirtualKey(page)
    key.set_presence(False)
    page.goto(f"{site.base}/account/sign-in?next=factors")
    fill_login(page, person.username, person.password)
    page.click("#add-FIDOAuthenticator")
    page.fill("#label", "Test key")
    key.set_presence(True)
    page.click("#passkey-use")
    page.wait_for_selector("#notice")
    assert "Test key" in page.inner_text("#factors")
    key.set_presence(False)
    page.context.clear_cookies()
    return key


@pytest.mark.spec("WebAuthn", "5.1.3")
def test_made_in_the_account_and_used_alone(quick_page: "Page", site: Site, client: Client, jane: Person) -> None:
    page = quick_page
    key = add_passkey(page, site, jane)
    (credential,) = key.credentials()
    assert (credential["rpId"], credential["isResidentCredential"]) == ("localhost", True)
    page.goto(site.authorize_url(client))
    page.wait_for_selector("#passkey-use")
    key.set_presence(True)
    page.click("#passkey-use")
    page.wait_for_selector("#arrived", state="attached")


@pytest.mark.spec("WebAuthn", "5.1.4")
def test_offered_in_the_field_of_the_name(quick_page: "Page", site: Site, client: Client, jane: Person) -> None:
    """With a finger there, conditional mediation answers at once, and nothing is clicked."""
    key = add_passkey(quick_page, site, jane)
    key.set_presence(True)
    quick_page.goto(site.authorize_url(client))
    quick_page.wait_for_selector("#arrived", state="attached")


def test_offered_and_not_taken(quick_page: "Page", site: Site, client: Client, jane: Person) -> None:
    add_passkey(quick_page, site, jane)
    quick_page.goto(site.authorize_url(client))
    fill_login(quick_page, jane.username, jane.password)
    quick_page.wait_for_selector("#arrived", state="attached")


def test_without_user_verification_it_is_not_enough_alone(
    quick_page: "Page", site: Site, client: Client, jane: Person
) -> None:
    page = quick_page
    key = add_passkey(page, site, jane)
    key.set_verified(False)
    page.goto(site.authorize_url(client))
    page.wait_for_selector("#passkey-use")
    key.set_presence(True)
    page.click("#passkey-use")
    page.wait_for_selector("#passkey-error:not([hidden])")
    assert "Try again" in page.inner_text("#passkey-error")


def test_as_a_second_factor(quick_page: "Page", site: Site, application_site: ClientSite, jane: Person) -> None:
    page = quick_page
    client = site.application(
        redirect_uris=(application_site.redirect_uri,),
        sign_in_steps=steps(("BasicAuthenticator",), ("FIDOAuthenticator",)),
    )
    key = add_passkey(page, site, jane)
    page.goto(site.authorize_url(client))
    fill_login(page, jane.username, jane.password)
    page.wait_for_selector("#passkey-use")
    key.set_presence(True)
    page.click("#passkey-use")
    page.wait_for_selector("#arrived", state="attached")


def test_added_while_signing_in(quick_page: "Page", site: Site, application_site: ClientSite, jane: Person) -> None:
    """Progressive enrolment: who has no second factor adds one."""
    page = quick_page
    client = site.application(
        redirect_uris=(application_site.redirect_uri,),
        sign_in_steps=steps(("BasicAuthenticator",), ("FIDOAuthenticator",)),
    )
    VirtualKey(page)
    page.goto(site.authorize_url(client))
    fill_login(page, jane.username, jane.password)
    page.wait_for_selector("#label")
    page.click("#passkey-use")
    page.wait_for_selector("#arrived", state="attached")


def forget_factors(site: Site, person: Person) -> None:
    async def forget(administration: Administration, tenant: TenantConfiguration) -> None:
        known = await administration.people.find_by_name(tenant, person.username)
        assert known is not None
        async with administration.database.transaction() as transaction:
            await delete_factors_of_subject(transaction, tenant.id, known.subject.id)

    site.in_tenant(forget)


def test_a_passkey_that_the_server_does_not_know(quick_page: "Page", site: Site, client: Client, jane: Person) -> None:
    """Removed in the account, and still in the browser."""
    page = quick_page
    key = add_passkey(page, site, jane)
    forget_factors(site, jane)
    page.goto(site.authorize_url(client))
    page.wait_for_selector("#passkey-use")
    key.set_presence(True)
    page.click("#passkey-use")
    page.wait_for_selector("#error-summary")
    forgive_status(page, 422)
    key.set_presence(False)
    page.click("#another-way")
    page.check("input[value=BasicAuthenticator]")
    page.click("#factor-submit")
    fill_login(page, jane.username, jane.password)
    page.wait_for_selector("#arrived", state="attached")


def test_without_javascript_the_button_is_not_there(site: Site, client: Client) -> None:
    page = site.browser().get(site.authorize_url(client))
    assert "hidden" in page.element("passkey-form").attributes
    assert page.has("login-submit")
