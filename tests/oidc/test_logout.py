"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0, decision 21)."""

import pytest

from tests.support.builders import Site, claims_of, response_parameters
from tests.support.in_process import TimedSite
from tests.support.signed_in import BACK, SignedIn


@pytest.mark.spec("OpenID Connect RP-Initiated Logout", "2")
def test_a_valid_hint_of_the_session_signs_out_without_a_question(site: Site) -> None:
    here = SignedIn(site)
    page = here.logout(id_token_hint=here.hint, post_logout_redirect_uri=BACK, state="s 1")
    assert page.left_for is not None
    assert page.left_for.url == f"{BACK}?state=s+1"
    assert not here.signed_in()
    assert not here.active()
    assert here.browser.cookies.find(f"__Host-sso-{site.handle}") is None


@pytest.mark.spec("OpenID Connect RP-Initiated Logout", "3")
@pytest.mark.parametrize(
    ("parameters", "leads_to"),
    [
        ({}, None),
        ({"post_logout_redirect_uri": BACK}, BACK),
        (
            {"post_logout_redirect_uri": "https://app.example/bye?x=1", "state": "s"},
            "https://app.example/bye?x=1&state=s",
        ),
        ({"state": "s"}, None),
    ],
)
def test_where_it_leads(site: Site, parameters: dict[str, str], leads_to: str | None) -> None:
    here = SignedIn(site)
    page = here.logout(id_token_hint=here.hint, **parameters)
    assert (page.left_for.url if page.left_for else None) == leads_to
    if leads_to is None:
        assert page.has("logged-out")


@pytest.mark.parametrize("with_client_id", [False, True])
def test_without_a_hint_it_asks_first(site: Site, with_client_id: bool) -> None:
    here = SignedIn(site)
    extra = {"client_id": here.client.client_id, "post_logout_redirect_uri": BACK} if with_client_id else {}
    page = here.logout(**extra)
    assert here.signed_in()
    assert here.client.application.name in page.text
    done = page.submit("logout-confirm")
    assert done.has("logged-out")
    assert done.left_for is None
    if with_client_id:
        assert done.element("logout-return").attributes["href"] == BACK
    assert not here.signed_in()
    assert not here.active()


def test_staying_signed_in(site: Site) -> None:
    here = SignedIn(site)
    page = here.logout().submit("logout-cancel")
    assert page.url.endswith("/account")
    assert here.signed_in()
    assert here.active()
    returned = here.logout(client_id=here.client.client_id, post_logout_redirect_uri=BACK).submit("logout-cancel")
    assert returned.left_for is not None
    assert returned.left_for.url == BACK


def test_a_hint_of_another_session_asks_first(site: Site) -> None:
    here, elsewhere = SignedIn(site), SignedIn(site)
    page = here.logout(id_token_hint=elsewhere.hint)
    assert page.has("logout-confirm")
    assert here.signed_in()
    page.submit("logout-confirm")
    assert not here.signed_in()
    assert elsewhere.signed_in()


@pytest.mark.spec("OpenID Connect RP-Initiated Logout", "4")
@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"id_token_hint": "x.y.z"}, "id_token_hint"),
        ({"id_token_hint": "{access_token}"}, "id_token_hint"),
        ({"id_token_hint": "{hint}", "client_id": "{other}"}, "client_id"),
        ({"client_id": "nobody"}, "client_id"),
        ({"id_token_hint": "{hint}", "post_logout_redirect_uri": "https://evil.example/"}, "post_logout_redirect_uri"),
        ({"id_token_hint": "{hint}", "post_logout_redirect_uri": BACK + "/"}, "post_logout_redirect_uri"),
        ({"post_logout_redirect_uri": BACK}, "post_logout_redirect_uri"),
        ({"client_id": "{other}", "post_logout_redirect_uri": BACK}, "post_logout_redirect_uri"),
    ],
)
def test_open_redirects_and_bad_hints_get_a_page_and_change_nothing(
    site: Site, parameters: dict[str, str], named: str
) -> None:
    here = SignedIn(site)
    values = {
        "hint": here.hint, "access_token": here.tokens["access_token"], "other": site.application("B").client_id,
    }  # fmt: skip
    page = here.logout(**{name: value.format(**values) for name, value in parameters.items()})
    assert (page.status, page.left_for) == (400, None)
    assert named in page.element("error-page").text
    assert here.signed_in()


@pytest.mark.spec("OpenID Connect RP-Initiated Logout", "2")
def test_an_expired_hint_counts(timed: TimedSite) -> None:
    here = SignedIn(timed, timed.application(id_token_lifetime=60, post_logout_redirect_uris=(BACK,)))
    timed.clock.advance(3600)
    page = here.logout(id_token_hint=here.hint, post_logout_redirect_uri=BACK)
    assert page.left_for is not None
    assert not here.signed_in()


def test_a_hint_of_another_tenant(site: Site, timed: TimedSite) -> None:
    here, there = SignedIn(site), SignedIn(timed)
    assert here.logout(id_token_hint=there.hint).has("error-page")
    assert here.signed_in()


@pytest.mark.spec("OpenID Connect RP-Initiated Logout", "2")
def test_a_post_from_the_application_finds_the_session(site: Site) -> None:
    here = SignedIn(site)
    fields = {"id_token_hint": here.hint, "post_logout_redirect_uri": BACK, "state": "s"}
    page = here.browser.post(f"{site.base}/oidc/logout", fields, from_site="https://app.example/")
    assert page.left_for is not None
    assert page.left_for.url == f"{BACK}?state=s"
    assert not here.signed_in()


def test_forged_logout_from_another_site(site: Site) -> None:
    here = SignedIn(site)
    page = here.logout()
    action = page.element("logout-confirm").above("form")
    assert action is not None
    target = site.server.base_url + action.attributes["action"]
    fields = {"decision": "logout", "csrf_token": page.document.all("input")[0].attributes["value"]}
    assert here.browser.post(target, fields, from_site="https://evil.example/").status in (200, 403)
    assert here.signed_in()
    assert here.browser.post(target, {"decision": "logout", "csrf_token": "x"}).status == 403
    assert here.signed_in()


def test_signed_out_already(site: Site) -> None:
    here = SignedIn(site)
    here.logout(id_token_hint=here.hint)
    page = here.logout(id_token_hint=here.hint, post_logout_redirect_uri=BACK)
    assert page.left_for is not None
    assert site.browser().get(f"{site.base}/oidc/logout").has("logged-out")


def test_everything_of_the_session_ends_and_other_browsers_stay(site: Site) -> None:
    here, elsewhere = SignedIn(site), SignedIn(site)
    second = site.application("Second")
    tokens = site.redeem(
        second, response_parameters(site.sign_in(second, site.jane, browser=here.browser))["code"]
    ).json()
    page = here.logout()
    assert "Second" in page.text
    page.submit("logout-confirm")
    assert not site.is_active(second, tokens["access_token"])
    assert elsewhere.active()
    assert "user:session:ended" in [event["type"] for event in site.events()]


def test_repeated_parameters(site: Site) -> None:
    here = SignedIn(site)
    page = here.browser.get(here.url(id_token_hint=here.hint) + "&id_token_hint=x")
    assert page.has("error-page")
    assert here.signed_in()


@pytest.mark.spec("OpenID Connect RP-Initiated Logout", "2")
def test_a_pairwise_hint(site: Site) -> None:
    client = site.application(subject_type="pairwise", post_logout_redirect_uris=(BACK,))
    here = SignedIn(site, client)
    assert claims_of(here.hint)["sub"] != claims_of(SignedIn(site).hint)["sub"]
    assert here.logout(id_token_hint=here.hint, post_logout_redirect_uri=BACK).left_for is not None
    assert not here.signed_in()


@pytest.mark.spec("OpenID Connect RP-Initiated Logout", "2")
@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "EdDSA"])
def test_a_hint_signed_by_any_key_of_ours(site: Site, algorithm: str) -> None:
    here = SignedIn(site, site.application(id_token_algorithm=algorithm))
    assert here.logout(id_token_hint=here.hint).has("logged-out")
    assert not here.signed_in()


def test_an_encrypted_hint_cannot_be_read(site: Site) -> None:
    here = SignedIn(site)
    page = here.logout(id_token_hint="e30.a.b.c.d")
    assert "encrypted" in page.element("error-page").text
    assert here.signed_in()


def test_the_page_speaks_the_language_asked_for(site: Site) -> None:
    here = SignedIn(site)
    page = here.logout(ui_locales="de")
    assert page.element("logout-confirm").text == "Abmelden"
    assert page.submit("logout-confirm").document.all("html")[0].attributes["lang"] == "de"


def test_a_request_without_cookies_clears_none(site: Site) -> None:
    """Decision 21: an image on another site's page asks for our address, without our cookies."""
    answer = site.http.get("/oidc/logout")
    assert "set-cookie" not in answer.headers


def test_the_cookie_of_a_session_that_ended_elsewhere_goes(site: Site) -> None:
    here, elsewhere = SignedIn(site), SignedIn(site)
    assert elsewhere.end_on_the_account_page(here.sid).has("notice")
    assert here.logout().has("logged-out")
    assert here.browser.cookies.find(f"__Host-sso-{site.handle}") is None
    assert here.browser.cookies.find(f"__Host-opbs-{site.handle}") is None
