"""Pages as rendered: what is escaped, what is labelled, which ids stay, and that every language is complete."""

import gzip
import json
import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from identity.domain.tenants import Tenant, TenantId, TenantSettings
from identity.web.templates import followable, initial
from identity.web.theme import Theme
from tests.support.html import Element, parse
from tests.web.page_samples import LOGIN_ERRORS, NOW, TEMPLATES, a_tenant, contexts, page, some_pages

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}{% x %} %(name)s %s &amp; \u202e\ud800"
SCRIPTED = "JaVaScRiPt:alert(document.domain)"
IDS = {
    "login.html": {"username", "password", "remember", "login-submit", "login-cancel", "choose-account"},
    "account_chooser.html": {"account-other", "login-cancel"},
    "consent.html": {"consent-allow", "consent-deny"},
    "device_code.html": {"user-code", "device-continue"},
    "device_confirm.html": {"device-allow", "device-deny", "shown-code", "asked-from"},
    "device_done.html": {"device-allowed"},
    "ciba_requests.html": {"ciba-allow-1", "ciba-deny-1", "notice"},
    "logout.html": {"logout-confirm", "logout-cancel"},
    "logged_out.html": {"logged-out", "logout-return", "logout-frames"},
    "error.html": {"error-page", "error-message", "error-code", "trace-id"},
    "form_post.html": {"form-post", "form-post-submit"},
    "choose_factor.html": {"factor-1", "factor-submit", "login-cancel"},
    "prompt.html": {"prompt-why", "choice-1", "login-cancel"},
    "factors/identifier.html": {"username", "identifier-submit", "login-cancel", "another-way", "passkey-use"},
    "factors/totp.html": {"code", "code-submit", "login-cancel", "another-way"},
    "factors/recovery_code.html": {"code", "code-submit", "login-cancel", "another-way"},
    "factors/email_code.html": {"code", "code-submit", "code-resend", "login-cancel", "another-way"},
    "factors/passkey.html": {"passkey-options", "passkey-form", "passkey-use", "login-cancel", "another-way"},
    "factors/session_limit.html": {"session-1", "sessions-end", "login-cancel"},
    "factors/totp_enrol.html": {"totp-secret", "totp-link", "code", "enrol-submit", "login-cancel"},
    "factors/recovery_code_enrol.html": {"recovery-codes", "enrol-submit", "login-cancel"},
    "factors/passkey_enrol.html": {"passkey-options", "passkey-form", "passkey-use", "label", "login-cancel"},
    "account_factors.html": {"factors", "add-totp", "notice", "back-to-account"},
    "continue.html": {"continue"},
    "account.html": {"applications", "sessions", "notice", "sign-out", "waiting-requests"},
    "home.html": {"discovery", "account", "demo-app", "demo-mailbox"},
    "mailbox.html": {"mails"},
    "demo_app.html": {
        "demo-config",
        "demo-sign-in",
        "demo-refresh",
        "demo-sign-out",
        "demo-id-token",
        "demo-access-token",
        "demo-userinfo",
        "demo-introspection",
        "demo-error",
    },
}

every_template = pytest.mark.parametrize("template", TEMPLATES)


def ids(document: Element) -> list[str]:
    return [element.id for element in document.all() if element.id]


def element(document: Element, name: str) -> Element:
    return next(found for found in document.all() if found.id == name)


def test_every_template_is_tested() -> None:
    folder = Theme().folder / "templates"
    pages = {str(file.relative_to(folder)) for file in folder.rglob("*.html") if file.parent.name != "macros"}
    assert pages == {*TEMPLATES, "layout.html", "gate.html", "shell.html"}


@every_template
def test_the_ids_that_programs_rely_on(template: str) -> None:
    found = ids(parse(page(template)))
    assert IDS[template] <= set(found)
    assert len(found) == len(set(found))


@every_template
def test_a_page_has_one_heading_a_language_and_a_way_past_the_header(template: str) -> None:
    document = parse(page(template))
    (html,) = document.all("html")
    (main,) = document.all("main")
    assert (html.attributes["lang"], html.attributes["dir"], main.id) == ("en", "ltr", "main")
    assert any(link.attributes["href"] == "#main" for link in document.all("a"))
    # The sample application holds one heading for each of its two states and shows one of them.
    shown = [heading for heading in document.all("h1") if heading.id != "demo-name"]
    assert len(shown) == 1
    assert document.all("title")[0].text.endswith(" – Sample organisation")


@every_template
@pytest.mark.parametrize("locale", ["en", "de"])
def test_every_control_has_a_name(template: str, locale: str) -> None:
    document = parse(page(template, locale=locale))
    labels = {label.attributes["for"]: label.text for label in document.all("label")}
    for control in document.all("input", "select", "textarea"):
        if control.attributes.get("type") != "hidden":
            assert labels[control.id]
    for control in document.all("button", "a"):
        assert control.text or control.attributes.get("aria-label")
    for described in document.all():
        for attribute in ("aria-describedby", "aria-labelledby"):
            assert set(described.attributes.get(attribute, "").split()) <= set(ids(document))


@every_template
def test_nothing_a_strict_policy_refuses(template: str) -> None:
    text = page(template)
    assert "<style" not in text
    for found in parse(text).all():
        assert "style" not in found.attributes
        assert not [name for name in found.attributes if name.startswith("on")]
        assert not [value for value in found.attributes.values() if value.lower().startswith(("data:", "javascript:"))]
        if found.tag == "script":
            assert found.attributes.get("src", "").startswith("/static/") or found.id in (
                "demo-config",
                "passkey-options",
            )


@every_template
def test_forms_post_and_carry_the_form_token(template: str) -> None:
    for form in parse(page(template)).all("form"):
        assert form.attributes["method"] == "post"
        tokens = [found for found in form.all("input") if found.attributes.get("name") == "csrf_token"]
        assert len(tokens) == (0 if form.id == "form-post" else 1)


@every_template
@pytest.mark.parametrize("locale", ["en", "de"])
def test_hostile_values_are_text(template: str, locale: str) -> None:
    """Attack 12: the same elements as with harmless values, and nothing of the hostile ones outside text."""
    pages = some_pages(demo=True)
    harmless, hostile = (
        parse(
            pages.render(template, tenant=a_tenant(text), host=text, locale=locale, **contexts(text)[template]).decode()
        )
        for text in ("sample", HOSTILE)
    )
    assert [tags_and_attributes(found) for found in hostile.all()] == [
        tags_and_attributes(found) for found in harmless.all()
    ]
    assert "{{7*7}}" in hostile.text + str([found.attributes for found in hostile.all()])


def tags_and_attributes(found: Element) -> tuple[str, list[str]]:
    return found.tag, sorted(found.attributes)


@every_template
@pytest.mark.parametrize("address", [SCRIPTED, " java\tscript:alert(1)", "data:text/html,x", "vbscript:x"])
def test_addresses_that_run_are_no_links(template: str, address: str) -> None:
    """Attack 11."""
    context = contexts(address=address)[template]
    text = some_pages().render(template, tenant=a_tenant(), host="id.example", **context).decode()
    for found in parse(text).all("a", "form", "meta", "img"):
        for name in ("href", "action", "content", "src"):
            assert address.strip() not in found.attributes.get(name, "")


@every_template
def test_a_missing_value_is_an_error_not_a_gap(template: str) -> None:
    context = contexts()[template]
    context.pop(next(iter(context)))
    with pytest.raises((UndefinedError, TypeError), match=r"undefined|StrictUndefined"):
        some_pages().render(template, tenant=a_tenant(), host="id.example", **context)


@every_template
def test_a_demo_installation_says_so_on_every_page(template: str) -> None:
    assert "Demo installation:" in element(parse(page(template, pages=some_pages(demo=True))), "demo-banner").text
    assert "demo-banner" not in page(template)


class TestLogin:
    def test_wrong_and_locked_look_the_same(self) -> None:
        """Attack 22."""
        assert page("login.html", error="refused") == page("login.html", error="locked")

    @pytest.mark.parametrize("error", ["unavailable", "busy"])
    def test_a_store_that_does_not_answer_is_not_blamed_on_the_person(self, error: str) -> None:
        text = element(parse(page("login.html", error=error)), "error-summary").text
        assert "cannot check your password right now" in text

    @pytest.mark.parametrize("error", LOGIN_ERRORS)
    def test_an_error_takes_the_focus_and_the_title(self, error: str | None) -> None:
        document = parse(page("login.html", error=error))
        assert ("autofocus" in str([found.attributes for found in document.all("section")])) is (error is not None)
        assert document.all("title")[0].text.startswith("Error:") is (error is not None)
        wrong = element(document, "password").attributes.get("aria-invalid") == "true"
        assert wrong is (error in ("refused", "locked"))

    def test_enter_signs_in_and_cancel_needs_no_password(self) -> None:
        first, second = parse(page("login.html")).all("button")
        assert (first.attributes["name"], first.attributes["value"]) == ("action", "answer")
        assert (second.attributes["value"], "formnovalidate" in second.attributes) == ("cancel", True)

    def test_password_managers_find_their_fields(self) -> None:
        document = parse(page("login.html"))
        assert element(document, "username").attributes["autocomplete"] == "username"
        assert element(document, "password").attributes["autocomplete"] == "current-password"
        assert "value" not in element(document, "password").attributes

    def test_the_page_says_who_asks_and_where_one_is(self) -> None:
        header = parse(page("login.html", application={"name": "Portal", "host": "app.example", "logo_uri": None}))
        (facts,) = header.all("dl")
        assert [term.text for term in facts.all("dt")] == ["Signing in to", "It will open", "This page is"]
        assert [fact.all("bdi", "code")[0].text for fact in facts.all("dd")] == ["Portal", "app.example", "id.example"]

    def test_without_an_application_one_signs_in_to_the_account(self) -> None:
        document = parse(page("login.html", application={"name": "", "host": "", "logo_uri": None}))
        assert [fact.all("bdi", "code")[0].text for fact in document.all("dd")] == ["Your account", "id.example"]

    def test_it_is_light(self) -> None:
        theme = Theme()
        parts = [theme.find(theme.path(name)) for name in ("theme.css", "mark.svg", "rosette.svg")]
        body = page("login.html", pages=some_pages(demo=True))
        weight = len(gzip.compress(body.encode())) + sum(len(part.gzipped) for part in parts if part)
        assert weight < 40_000
        linked = {found.attributes.get("href") or found.attributes.get("src") for found in parse(body).all("link")}
        assert linked == {theme.path("theme.css"), theme.path("mark.svg")}


class TestConsent:
    def test_required_scopes_cannot_be_unticked_and_are_not_sent(self) -> None:
        openid, email, other = (
            found for found in parse(page("consent.html")).all("input") if found.attributes.get("type") == "checkbox"
        )
        assert ("disabled" in openid.attributes, "name" in openid.attributes) == (True, False)
        assert (email.attributes["value"], "checked" in email.attributes) == ("email", True)
        assert (other.attributes["name"], "checked" in other.attributes) == ("scope", False)

    def test_only_our_own_logos_are_loaded(self) -> None:
        for logo, images in (("/logos/1", 1), ("https://evil.example/x", 0), ("//evil.example/x", 0), (None, 0)):
            shown = {"logo_uri": "https://app.example/logo.png", "logo_path": logo}
            application = contexts()["consent.html"]["application"] | shown
            assert len(parse(page("consent.html", application=application)).all("img")) == images


class TestError:
    def test_the_fault_is_named_within_the_element(self) -> None:
        text = page("error.html", message="The redirect_uri is not registered.", trace_id="7f3a")
        found = element(parse(text), "error-page")
        assert "redirect_uri" in found.text
        assert element(found, "trace-id").text == "7f3a"
        assert '<time datetime="2026-11-22T14:05:09Z">22 Nov 2026, 14:05:09 UTC</time>' in text

    def test_a_sentence_without_translation_is_marked_as_english(self) -> None:
        text = page("error.html", locale="de", title="Page not found", message="Only in English.")
        assert "<h1>Seite nicht gefunden</h1>" in text
        assert '<span lang="en" dir="ltr">Only in English.</span>' in text


class TestContinue:
    def test_it_goes_on_without_a_script(self) -> None:
        document = parse(page("continue.html", url="com.example.app:/cb?code=1&state=2"))
        refresh = next(found for found in document.all("meta") if "http-equiv" in found.attributes)
        assert refresh.attributes["content"] == "0; url=com.example.app:/cb?code=1&state=2"
        assert element(document, "continue").attributes["href"] == "com.example.app:/cb?code=1&state=2"


class TestDemoApplication:
    @pytest.mark.parametrize("text", [HOSTILE, "</script><script>alert(1)//", "<!--<script>", "\u2028"])
    def test_its_configuration_stays_data(self, text: str) -> None:
        text = text.replace("\ud800", "")
        rendered = page("demo_app.html", config={"client_id": text})
        (block,) = re.findall(r'<script type="application/json" id="demo-config">(.*?)</script>', rendered, re.DOTALL)
        assert json.loads(block) == {"client_id": text}
        assert "<" not in block


def test_nothing_to_list_is_said() -> None:
    assert "No application has access" in page("account.html", applications=[])
    assert "sign in again the next time" in page("logout.html", applications=[], application=None)
    assert "Nothing waits for you" in page("ciba_requests.html", requests=[])
    assert "waiting-requests" not in page("account.html", waiting=0)
    assert "demo-app" not in page("home.html", demo=None)
    assert "logout-return" not in page("logged_out.html", application=None, return_url=None)


def test_the_number_of_applications_is_spelled_right() -> None:
    one, two = [{"name": "A", "opened_at": NOW}], [{"name": "A", "opened_at": NOW}, {"name": "B", "opened_at": NOW}]
    assert "in this application." in page("logout.html", applications=one)
    assert "in these 2 applications." in page("logout.html", applications=two)
    assert "in diesen 2 Anwendungen." in page("logout.html", applications=two, locale="de")


def test_a_tenant_without_a_name_shows_the_product_and_its_own_paths() -> None:
    tenant = Tenant(id=TenantId(2), handle="acme", enabled=True, version=1, settings=TenantSettings())
    text = some_pages().render("account.html", tenant=tenant, host="id.example", **contexts()["account.html"]).decode()
    assert "Your account – Identity Server" in text
    assert 'href="/t/acme/oidc/logout"' in text


@pytest.mark.parametrize(("mode", "attribute"), [("dark", "dark"), ("light", "light"), ("sepia", None), (None, None)])
def test_a_chosen_theme_overrides_the_device(mode: str | None, attribute: str | None) -> None:
    (html,) = parse(page("logged_out.html", theme_mode=mode)).all("html")
    assert html.attributes.get("data-theme") == attribute


def test_an_unknown_language_is_english() -> None:
    assert page("login.html", locale="tlh") == page("login.html")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://app.example/", "https://app.example/"),
        ("com.example.app:/cb", "com.example.app:/cb"),
        ("/path:with/colon", "/path:with/colon"),
        (None, ""),
        ("", ""),
        (SCRIPTED, ""),
        ("\x01javascript:x", ""),
        ("java\nscript:x", ""),
        ("DATA:text/html,x", ""),
        ("view-source:https://app.example", ""),
    ],
)
def test_followable(address: str | None, expected: str) -> None:
    assert followable(address) == expected


@pytest.mark.parametrize(("name", "letter"), [("ada", "A"), ("<b>", "B"), ("\u202eé", "É"), ("", "?"), ("—", "?")])
def test_initial(name: str, letter: str) -> None:
    assert initial(name) == letter


def messages_of(folder: Path) -> set[str]:
    """The message ids in the templates, as Babel finds them."""
    from jinja2.ext import babel_extract

    found: set[str] = set()
    for file in folder.rglob("*.html"):
        with file.open("rb") as source:
            for _, _, message, _ in babel_extract(source, ("_", "gettext", "ngettext"), (), {"trimmed": "true"}):
                found.update(text for text in _forms(message)[:2] if text)
    return found


def _forms(message: object) -> list[str]:
    """Singular and plural of an entry, or the one text it has."""
    return [str(form or "") for form in message] if isinstance(message, list | tuple) else [str(message)]


def _placeholders_and_tags(texts: list[str]) -> set[tuple[str, ...]]:
    return {tuple(sorted(re.findall(r"%\(\w+\)s|<[^>]+>", text))) for text in texts}


@pytest.mark.parametrize(
    "file", sorted(Theme().folder.glob("locale/*/LC_MESSAGES/messages.po")), ids=lambda file: file.parts[-3]
)
def test_every_catalogue_is_complete(file: Path) -> None:
    from babel.messages.pofile import read_po

    folder = Theme().folder
    with file.open("rb") as source:
        entries = [entry for entry in read_po(source) if entry.id]
    assert messages_of(folder / "templates") <= {text for entry in entries for text in _forms(entry.id)}
    for entry in entries:
        assert all(_forms(entry.string))
        assert not entry.fuzzy
        # The same values and tags, so that a translation neither loses a name nor adds markup.
        assert _placeholders_and_tags(_forms(entry.string)) == _placeholders_and_tags(_forms(entry.id))
        assert all(place == "identity" or (folder / place).is_file() for place, _ in entry.locations)
