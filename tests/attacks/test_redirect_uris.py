"""Attack row 10: redirect addresses. To the letter, but for the port of a loopback literal."""

import secrets
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from identity.domain.redirect_uris import match_redirect_uri, registrable_redirect_uri
from identity.errors import IdentityError
from tests.support.builders import Client, Pkce, Site

pytestmark = [pytest.mark.any_engine, pytest.mark.long]


@dataclass(frozen=True)
class Row:
    accepted: bool
    address: str
    why: str


def _row(line: str) -> Row:
    verdict, address, why = line.split(" | ")
    assert verdict in ("accept", "refuse"), line
    return Row(verdict == "accept", address.encode().decode("unicode_escape"), why)


_LINES = Path(__file__).with_name("redirect_uris.txt").read_text().splitlines()
ROWS = [_row(line) for line in _LINES if line and not line.startswith("#")]
REGISTERED = tuple(row.address for row in ROWS if row.why == "registered")


def test_the_table_is_long() -> None:
    assert len(ROWS) >= 300
    assert len({row.address for row in ROWS}) == len(ROWS)
    assert all(registrable_redirect_uri(address) is None for address in REGISTERED)


@pytest.mark.spec("RFC 6749", "3.1.2.3")
@pytest.mark.spec("RFC 8252", "7.3")
def test_the_comparison_of_every_row() -> None:
    wrong = [row for row in ROWS if match_redirect_uri(row.address, REGISTERED) is not row.accepted]
    assert wrong == []


@pytest.fixture(scope="module")
def application(standing_site: Site) -> Client:
    return standing_site.application(redirect_uris=REGISTERED)


def _leads_to(response: httpx.Response) -> str | None:
    """Where a browser would be sent, by a redirect or by the page that goes on by itself."""
    if response.status_code == 303:
        return response.headers["location"]
    assert "location" not in response.headers
    _, refresh, rest = response.text.partition('<meta http-equiv="refresh" content="0; url=')
    return unescape(rest.partition('"')[0]) if refresh else None


@pytest.mark.spec("RFC 6749", "4.1.2.1")
def test_no_spelling_leads_away(standing_site: Site, application: Client) -> None:
    """Errors too go only to a registered address; for any other the person sees a page that names the fault."""
    for row in ROWS:
        response = standing_site.http.get(
            standing_site.authorize_url(application, redirect_uri=row.address, prompt="none")
        )
        leads_to = _leads_to(response)
        if row.accepted:
            assert leads_to is not None, row
            assert leads_to.startswith(row.address + ("&" if "?" in row.address else "?") + "error=login_required"), row
        else:
            assert (response.status_code, leads_to) == (400, None), row
            assert 'id="error-page"' in response.text
            assert "redirect_uri" in response.text
            assert "<script>alert" not in response.text


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("address", ["https://attacker.example/cb", "https://app.example/cb/../x", ""])
def test_an_unregistered_address_gets_no_error_and_no_flow(
    standing_site: Site, application: Client, method: str, address: str
) -> None:
    """Whatever else is wrong with the request: a broken address is told to the person, before all other errors."""
    wrong = {"response_type": "token", "scope": "x", "response_mode": "web_message", "code_challenge_method": "plain"}
    for name, value in wrong.items():
        url = standing_site.authorize_url(application, redirect_uri=address, **{name: value})
        if method == "GET":
            response = standing_site.http.get(url)
        else:
            response = standing_site.http.post(
                "/oauth2/authorize", content=urlsplit(url).query,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )  # fmt: skip
        assert (response.status_code, "set-cookie" in response.headers) == (400, False), name
        assert "attacker.example" not in response.text


@pytest.mark.spec("RFC 6749", "4.1.3")
@pytest.mark.parametrize(
    "given",
    [
        "https://app.example/cb/", "https://app.example/cb?tenant=1", "https://app.example/cb ", "HTTPS://app.example/cb",
        "http://127.0.0.1:1/cb", "https://attacker.example/cb", None,
    ],
)  # fmt: skip
def test_a_code_is_redeemed_with_the_address_it_was_sent_to(
    standing_site: Site, application: Client, given: str | None
) -> None:
    person = standing_site.person(f"redeemer{secrets.token_hex(4)}")
    pkce = Pkce()
    code = standing_site.code(application, person, **pkce.parameters)
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": pkce.verifier}
    wrong = standing_site.token(application, **form, **({} if given is None else {"redirect_uri": given}))
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_grant")
    # The mistake of one caller does not use up the code of another.
    assert standing_site.token(application, **form, redirect_uri="https://app.example/cb").status_code == 200


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://app.example/cb", "http is for loopback"), ("https://app.example/cb#x", "fragment"),
        ("https://user@app.example/cb", "user information"), ("https://*.app.example/cb", "wildcard"),
        ("https:///cb", "no host"), ("https:app.example", "no host"), ("/cb", "relative"), ("", "empty"),
        ("javascript:alert(1)", "script"), ("JavaScript:alert(1)", "script"), ("java\nscript:alert(1)", "script"),
        ("\x01javascript:alert(1)", "script"), ("data:text/html,x", "data"), ("vbscript:x", "script"),
        ("file:///etc/passwd", "file"), ("blob:https://app.example/1", "blob"), ("about:blank", "about"),
        ("view-source:https://app.example", "view-source"), ("https://app.example/cb\r\nX: y", "line end"),
        ("https://app.example\\@attacker.example/", "backslash"), ("https://app.example/ü", "not ASCII"),
        ("https://app.example/a b", "space"), ("https://app.example:port/cb", "no port"), ("https://[::1/cb", "no URI"),
        ("https://app.example/<script>", "markup"), ('https://app.example/"onload=', "quote"),
    ],
)  # fmt: skip
def test_what_cannot_be_registered(standing_site: Site, address: str, why: str) -> None:
    for field in ("redirect_uris", "post_logout_redirect_uris"):
        with pytest.raises(IdentityError):
            standing_site.application("Refused", **dict[str, Any]({field: (address,)}))


@pytest.mark.spec("OpenID Connect RP-Initiated Logout", "3")
def test_no_spelling_leads_away_after_logout(standing_site: Site) -> None:
    application = standing_site.application(post_logout_redirect_uris=("https://app.example/cb",))
    for row in ROWS:
        if row.address == "https://app.example/cb":
            continue
        response = standing_site.http.get(
            "/oidc/logout", params={"client_id": application.client_id, "post_logout_redirect_uri": row.address}
        )
        assert response.status_code == 400, row
        assert "location" not in response.headers
        assert "attacker.example" not in response.text
