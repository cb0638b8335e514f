"""The steps that journeys share, by the ids that pages promise (issue: login, consent and logout keep theirs)."""

from typing import TYPE_CHECKING

from tests.support.chromium import forgive

if TYPE_CHECKING:
    from playwright.sync_api import Page

ADA = "ada"
ADA_PASSWORD = "ada-demo-password"


def fill_login(page: "Page", username: str, password: str) -> None:
    page.fill("#username", username)
    page.fill("#password", password)
    page.click("#login-submit")


def sign_in_to_demo(page: "Page", base_url: str) -> None:
    """From the sample application through sign-in, and consent when it is asked, back to it with tokens."""
    page.goto(f"{base_url}/demo/app")
    page.click("#demo-sign-in")
    page.wait_for_selector("#login-submit")
    fill_login(page, ADA, ADA_PASSWORD)
    page.wait_for_selector("#consent-allow, #demo-signed-in:not([hidden])")
    if page.query_selector("#consent-allow"):
        page.click("#consent-allow")
    page.wait_for_selector("#demo-signed-in:not([hidden])")


def forgive_status(page: "Page", status: int) -> None:
    """A browser notes a page with an error status in its console: exactly that note is expected, and no other."""
    problems = forgive(page)
    assert problems, f"no answer with {status}"
    assert all(f"responded with a status of {status} " in problem for problem in problems), problems


def focused_id(page: "Page") -> str:
    found: str = page.evaluate("document.activeElement ? document.activeElement.id : ''")
    return found


def tab_to(page: "Page", id: str, most: int = 15) -> None:
    """Press Tab until the element has the focus. Raises AssertionError when the keyboard does not get there."""
    passed = []
    for _ in range(most):
        page.keyboard.press("Tab")
        passed.append(focused_id(page))
        if passed[-1] == id:
            return
    raise AssertionError(f"Tab never reached {id!r}, only {passed}")
