"""Front-Channel Logout 1.0: a frame for each application on the page that says "signed out" (decision 21)."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from identity.oidc.front_channel import logout_frames
from identity.storage.session_applications import ReachedApplication
from tests.support.browser import Page
from tests.support.builders import Client, Site, claims_of
from tests.support.html import Element
from tests.support.signed_in import BACK, SignedIn

FRAME = "https://app.example/signed-out"


def framed(site: Site, name: str = "App", **settings: Any) -> Client:
    defaults = {"frontchannel_logout_uri": FRAME, "post_logout_redirect_uris": (BACK,)}
    return site.application(name, **(defaults | settings))


def frames(page: Page) -> list[str]:
    return [frame.attributes["src"] for frame in page.document.all("iframe")]


def frame_sources(page: Page) -> list[str]:
    policy = page.header("content-security-policy") or ""
    found = [part.split()[1:] for part in policy.split("; ") if part.startswith("frame-src ")]
    return found[0] if found else []


def refresh(page: Page) -> str | None:
    found: list[Element] = [tag for tag in page.document.all("meta") if tag.attributes.get("http-equiv") == "refresh"]
    return found[0].attributes["content"] if found else None


@pytest.mark.spec("OpenID Connect Front-Channel Logout", "2")
@pytest.mark.spec("OpenID Connect Front-Channel Logout", "3")
@pytest.mark.parametrize("required", [False, True])
def test_a_frame_with_issuer_and_session(site: Site, required: bool) -> None:
    here = SignedIn(site, framed(site, frontchannel_logout_session_required=required))
    (address,) = frames(here.logout(id_token_hint=here.hint))
    assert address.partition("?")[0] == FRAME
    assert parse_qs(urlsplit(address).query) == {"iss": [site.issuer], "sid": [claims_of(here.hint)["sid"]]}


def test_a_query_that_was_registered_stays(site: Site) -> None:
    here = SignedIn(site, framed(site, frontchannel_logout_uri=f"{FRAME}?a=b%20c"))
    (address,) = frames(here.logout(id_token_hint=here.hint))
    assert address.startswith(f"{FRAME}?a=b%20c&iss=")


def test_every_application_of_the_session_and_no_other(site: Site) -> None:
    here = SignedIn(site, framed(site, "First"))
    SignedIn(site, framed(site, "Second", frontchannel_logout_uri=f"{FRAME}/2"), browser=here.browser)
    SignedIn(site, site.application("Without"), browser=here.browser)
    SignedIn(site, framed(site, "Elsewhere", frontchannel_logout_uri=f"{FRAME}/3"))
    page = here.logout().submit("logout-confirm")
    assert [address.partition("?")[0] for address in frames(page)] == [FRAME, f"{FRAME}/2"]
    assert "First" in page.element("logout-frames").text
    assert "Without" not in page.text


def test_the_page_may_frame_exactly_the_registered_origins(site: Site) -> None:
    """Decision 21."""
    here = SignedIn(site, framed(site, "First"))
    other = framed(
        site, "Second", redirect_uris=("https://second.example:8443/cb",),
        frontchannel_logout_uri="https://second.example:8443/out",
    )  # fmt: skip
    SignedIn(site, other, browser=here.browser)
    page = here.logout(id_token_hint=here.hint)
    assert frame_sources(page) == ["https://app.example", "https://second.example:8443"]
    assert frame_sources(here.logout()) == []


def test_it_goes_on_to_the_application_by_itself(site: Site) -> None:
    here = SignedIn(site, framed(site))
    page = here.logout(id_token_hint=here.hint, post_logout_redirect_uri=BACK, state="s&1")
    assert (page.status, page.left_for) == (200, None)
    assert page.element("logout-return").attributes["href"] == f"{BACK}?state=s%261"
    assert refresh(page) == f"5; url={BACK}?state=s%261"
    assert any("front_channel.js" in script.attributes["src"] for script in page.document.all("script"))
    assert not here.signed_in()


@pytest.mark.spec("OpenID Connect RP-Initiated Logout", "3")
def test_without_a_hint_it_goes_on_by_the_persons_hand_only(site: Site) -> None:
    here = SignedIn(site, framed(site))
    page = here.logout(client_id=here.client.client_id, post_logout_redirect_uri=BACK).submit("logout-confirm")
    assert len(frames(page)) == 1
    assert page.element("logout-return").attributes["href"] == BACK
    assert refresh(page) is None
    assert not page.document.all("script")


def test_nothing_is_framed_when_nothing_ended(site: Site) -> None:
    here = SignedIn(site, framed(site))
    here.logout(id_token_hint=here.hint)
    again = here.logout(id_token_hint=here.hint)
    assert again.has("logged-out")
    assert frames(again) == []
    assert frames(site.browser().get(here.url())) == []


def test_hostile_names_and_addresses_stay_text(site: Site) -> None:
    """Attack rows 11 and 12."""
    here = SignedIn(site, framed(site, '"><script>alert(1)</script>', frontchannel_logout_uri=f"{FRAME}?'onload=x"))
    page = here.logout(id_token_hint=here.hint)
    assert not page.document.all("script")
    (frame,) = page.document.all("iframe")
    assert frame.attributes["title"] == '"><script>alert(1)</script>'
    assert frame.attributes.keys() == {"class", "src", "title", "aria-hidden", "tabindex", "referrerpolicy"}


def test_an_address_that_has_no_source_of_its_own_is_left_out(site: Site) -> None:
    """A literal IPv6 address could only be allowed by allowing everybody."""
    client = framed(site, redirect_uris=("http://[::1]:8000/cb",), frontchannel_logout_uri="http://[::1]:8000/out")
    here = SignedIn(site)
    reached = ReachedApplication(claims_of(here.hint)["sid"], claims_of(here.hint)["sub"], client.application, 0)
    assert logout_frames(site.server.base_url, site.tenant, [reached]) == []
