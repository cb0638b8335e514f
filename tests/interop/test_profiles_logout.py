"""The logout profiles and Session Management, walked as a certification run does (docs/test-installations.md)."""

import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt

from tests.interop.openid_party import Party, basic, runner
from tests.interop.runner import Answer, Runner
from tests.support.builders import claims_of
from tests.support.receiver import Received, Receiver

__all__ = ["basic", "runner"]


def signed_in(party: Party) -> tuple[Answer, str]:
    answer = party.ask("code")
    return answer, party.tokens(answer["code"])["id_token"]


def log_out(runner: Runner, **parameters: str) -> Any:
    return runner.walk(f"{runner.metadata['end_session_endpoint']}?{urlencode(parameters)}")


@pytest.mark.spec("OpenID Connect RP-Initiated Logout", "2")
def test_rp_initiated_logout(basic: Party, runner: Runner) -> None:
    _, hint = signed_in(basic)
    back = f"{runner.installation.suite_origin}/test/a/op/post_logout_redirect"
    page = log_out(runner, id_token_hint=hint, post_logout_redirect_uri=back, state="bye")
    refresh = next(tag for tag in page.document.all("meta") if tag.attributes.get("http-equiv") == "refresh")
    assert refresh.attributes["content"].endswith(f"{back}?state=bye")
    assert basic.ask("code", prompt="none")["error"] == "login_required"


def test_rp_initiated_logout_without_a_hint_asks_first(basic: Party, runner: Runner) -> None:
    signed_in(basic)
    page = log_out(runner)
    assert page.status == 200
    assert basic.ask("code", prompt="none")["error"] == "login_required"


@pytest.mark.spec("OpenID Connect RP-Initiated Logout", "4")
def test_rp_initiated_logout_leads_nowhere_else(basic: Party, runner: Runner) -> None:
    _, hint = signed_in(basic)
    for parameters in (
        {"id_token_hint": hint, "post_logout_redirect_uri": "https://evil.example/"},
        {"id_token_hint": hint[:-8] + "AAAAAAAA", "post_logout_redirect_uri": "https://localhost/"},
    ):
        page = log_out(runner, **parameters)
        assert page.has("error-page")
        assert page.left_for is None
    assert "code" in basic.ask("code", prompt="none")


@pytest.mark.spec("OpenID Connect Front-Channel Logout", "3")
def test_front_channel_logout(basic: Party, runner: Runner) -> None:
    _, hint = signed_in(basic)
    page = log_out(runner, id_token_hint=hint)
    (frame,) = page.document.all("iframe")
    address = frame.attributes["src"]
    assert address.startswith(f"{runner.installation.suite_origin}/test/a/op/frontchannel_logout?")
    told = parse_qs(urlsplit(address).query)
    assert told == {"iss": [runner.issuer], "sid": [runner.id_token(hint, "basic")["sid"]]}
    assert runner.installation.suite_origin in (page.header("content-security-policy") or "")


def told_of(suite: Receiver, sid: str) -> Received:
    """The logout of this session: others of the run, which nobody awaited, may arrive too."""
    path, count = "/test/a/op/backchannel_logout", 1
    while True:
        for request in suite.wait_for(path, count):
            if claims_of(request.form["logout_token"])["sid"] == sid:
                return request
        count += 1


@pytest.mark.spec("OpenID Connect Back-Channel Logout", "2.4")
def test_back_channel_logout(basic: Party, runner: Runner, suite: Receiver) -> None:
    _, hint = signed_in(basic)
    log_out(runner, id_token_hint=hint)
    request = told_of(suite, runner.id_token(hint, "basic")["sid"])
    decoded = jwt.decode(request.form["logout_token"], runner.keys(), algorithms=["RS256"])
    ended = runner.id_token(hint, "basic")
    assert decoded.header["typ"] == "logout+jwt"
    assert decoded.claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert {"iat", "jti", "exp"} <= decoded.claims.keys()
    assert "nonce" not in decoded.claims
    assert [decoded.claims[name] for name in ("iss", "sid", "sub")] == [ended[name] for name in ("iss", "sid", "sub")]
    assert decoded.claims["aud"] in ("basic", ["basic"])


@pytest.mark.spec("OpenID Connect Session Management", "3.2")
def test_session_management(basic: Party, runner: Runner) -> None:
    """The state as the frame computes it, from the cookie that it can read."""
    answer, hint = signed_in(basic)
    frame = runner.http.get(runner.metadata["check_session_iframe"])
    assert frame.headers["content-type"].startswith("text/html")

    def is_current() -> bool:
        cookies = [cookie for cookie in runner.browser.cookies.all() if "opbs" in cookie.name]
        assert all(not cookie.http_only for cookie in cookies)
        digest, salt = answer["session_state"].split(".")
        state = cookies[0].value if cookies else ""
        text = f"basic {runner.installation.suite_origin} {state} {salt}"
        return bool(hashlib.sha256(text.encode()).hexdigest() == digest)

    assert is_current()
    assert "code" in basic.ask("code", prompt="none")
    assert is_current()
    log_out(runner, id_token_hint=hint)
    assert not is_current()
