"""The OpenID provider profiles, walked as a certification run does (docs/test-installations.md)."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt

from tests.interop.installation import Installation
from tests.interop.runner import Answer, Runner, response_of
from tests.support.builders import claims_of
from tests.support.key_holder import KeyHolder
from tests.support.receiver import Received, Receiver, Reply

NONCE, STATE = "n-0S6_WzA2Mj", "af0ifjsldkj"
ALL_SCOPES = "openid profile email address phone"


@pytest.fixture
def runner(installation: Installation) -> Iterator[Runner]:
    made = Runner(installation, "op")
    yield made
    made.close()


class Party:
    """A relying party of the run, registered on the page or by itself."""

    def __init__(self, runner: Runner, client_id: str, secret: str, callback: str = "") -> None:
        self.runner = runner
        self.client_id = client_id
        self.secret = secret
        self.callback = callback or f"{runner.installation.suite_origin}/test/a/op/callback"

    def ask(self, response_type: str, **parameters: str) -> Answer:
        """An authorization response, with the state that was sent."""
        asked = {
            "client_id": self.client_id, "response_type": response_type, "redirect_uri": self.callback,
            "scope": "openid", "state": STATE, "nonce": NONCE,
        }  # fmt: skip
        answer = self.runner.authorize(**(asked | parameters))
        assert answer["state"] == STATE
        return answer

    def redeem(self, code: str, *, in_body: bool = False) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.callback}
        if in_body:
            return self.runner.post("token", form | {"client_id": self.client_id, "client_secret": self.secret})
        return self.runner.post("token", form, auth=(self.client_id, self.secret))

    def tokens(self, code: str, **arguments: Any) -> Answer:
        response = self.redeem(code, **arguments)
        assert response.status_code == 200, response.text
        assert response.headers["cache-control"] == "no-store"
        answer: Answer = response.json()
        return answer


@pytest.fixture
def basic(runner: Runner) -> Party:
    return Party(runner, "basic", runner.installation.secrets["basic"])


# Config


@pytest.mark.spec("OpenID Connect Discovery", "3")
def test_config(runner: Runner) -> None:
    metadata = runner.metadata
    needed = {
        "issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "registration_endpoint",
        "scopes_supported", "response_types_supported", "subject_types_supported", "claims_supported",
        "id_token_signing_alg_values_supported",
    }  # fmt: skip
    assert needed <= metadata.keys()
    assert "RS256" in metadata["id_token_signing_alg_values_supported"]
    assert {"code", "id_token", "id_token token"} <= set(metadata["response_types_supported"])
    for name, value in metadata.items():
        if name.endswith(("_endpoint", "_uri", "_iframe")):
            assert value.startswith(f"{runner.issuer}/"), name
    keys = runner.http.get(metadata["jwks_uri"]).json()["keys"]
    assert len({key["kid"] for key in keys}) == len(keys)
    assert not {"d", "p", "q", "k"} & {member for key in keys for member in key}


# Basic


@pytest.mark.spec("OpenID Connect Core", "3.1")
def test_basic(basic: Party, runner: Runner) -> None:
    answer = basic.ask("code", scope=ALL_SCOPES)
    assert (answer["mode"], answer["iss"]) == ("query", runner.issuer)
    tokens = basic.tokens(answer["code"])
    assert tokens["token_type"] == "Bearer"
    claims = runner.id_token(tokens["id_token"], "basic", nonce=NONCE, access_token=tokens["access_token"])
    person = runner.userinfo(tokens["access_token"])
    assert person["sub"] == claims["sub"]
    told = {
        "name", "given_name", "family_name", "middle_name", "nickname", "profile", "picture", "website", "gender",
        "birthdate", "zoneinfo", "locale", "updated_at", "preferred_username", "email", "email_verified", "address",
        "phone_number", "phone_number_verified",
    }  # fmt: skip
    assert told <= person.keys()
    assert (person["email_verified"], person["address"]) == (True, {"formatted": "1 Garden Lane, Zurich"})
    assert type(person["updated_at"]) is int
    # A code is good once, and a replay takes the token with it.
    assert basic.redeem(answer["code"]).json()["error"] == "invalid_grant"
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert runner.http.get(runner.endpoint("userinfo"), headers=bearer).status_code == 401


def test_basic_with_client_secret_post(runner: Runner) -> None:
    party = Party(runner, "post", runner.installation.secrets["post"])
    tokens = party.tokens(party.ask("code")["code"], in_body=True)
    runner.id_token(tokens["id_token"], "post", nonce=NONCE)


@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
def test_basic_prompt_and_age(basic: Party, runner: Runner) -> None:
    assert basic.ask("code", prompt="none")["error"] == "login_required"
    first = runner.id_token(basic.tokens(basic.ask("code")["code"])["id_token"], "basic")
    silent = basic.tokens(basic.ask("code", prompt="none")["code"])["id_token"]
    assert runner.id_token(silent, "basic")["sub"] == first["sub"]
    hinted = basic.ask("code", prompt="none", id_token_hint=silent)
    assert "code" in hinted
    again = runner.id_token(basic.tokens(basic.ask("code", prompt="login")["code"])["id_token"], "basic")
    assert again["auth_time"] >= first.get("auth_time", 0)
    aged = runner.id_token(basic.tokens(basic.ask("code", max_age="10000")["code"])["id_token"], "basic")
    assert aged["auth_time"] == again["auth_time"]


@pytest.mark.spec("OpenID Connect Core", "12")
def test_basic_refresh(basic: Party, runner: Runner) -> None:
    asked = basic.ask("code", scope="openid offline_access", prompt="consent")
    tokens = basic.tokens(asked["code"])
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    answer = runner.post("token", form, auth=(basic.client_id, basic.secret)).json()
    claims = runner.id_token(answer["id_token"], "basic", access_token=answer["access_token"])
    assert claims["sub"] == runner.id_token(tokens["id_token"], "basic")["sub"]
    other = Party(runner, "basic2", runner.installation.secrets["basic2"])
    stolen = runner.post("token", form | {"refresh_token": answer["refresh_token"]}, auth=("basic2", other.secret))
    assert stolen.json()["error"] == "invalid_grant"


def test_basic_what_it_refuses(basic: Party, runner: Runner) -> None:
    stranger = runner.walk(
        runner.browser,
        f"{runner.metadata['authorization_endpoint']}?"
        + urlencode({"client_id": "basic", "response_type": "code", "redirect_uri": "https://localhost/other"}),
    )
    assert stranger.has("error-page")
    assert stranger.left_for is None
    missing = response_of(
        runner.walk(
            runner.browser,
            f"{runner.metadata['authorization_endpoint']}?"
            + urlencode({"client_id": "basic", "redirect_uri": basic.callback, "state": STATE}),
        )
    )
    assert missing["error"] in ("invalid_request", "unsupported_response_type")
    assert "code" in basic.ask("code", extra="is ignored", display="page", ui_locales="se", claims_locales="se")


@pytest.mark.spec("OpenID Connect Core", "5.5")
def test_basic_claims_and_acr(basic: Party, runner: Runner) -> None:
    wanted = {"userinfo": {"name": {"essential": True}}, "id_token": {"auth_time": {"essential": True}}}
    tokens = basic.tokens(basic.ask("code", claims=json.dumps(wanted), acr_values="1 2")["code"])
    assert "auth_time" in runner.id_token(tokens["id_token"], "basic")
    assert runner.userinfo(tokens["access_token"])["name"] == "Jane Doe"


# Implicit, Hybrid and Form Post


@pytest.mark.spec("OpenID Connect Core", "3.2")
@pytest.mark.parametrize("mode", ["fragment", "form_post"])
@pytest.mark.parametrize("response_type", ["id_token", "id_token token"])
def test_implicit(basic: Party, runner: Runner, response_type: str, mode: str) -> None:
    answer = basic.ask(response_type, response_mode=mode, scope="openid email")
    assert answer["mode"] == mode
    expected = {"access_token": answer["access_token"]} if "access_token" in answer else {}
    claims = runner.id_token(answer["id_token"], "basic", nonce=NONCE, **expected)
    if response_type == "id_token":
        assert claims["email"] == "jane@example.org"
        assert "access_token" not in answer
    else:
        assert answer["token_type"] == "Bearer"
        assert runner.userinfo(answer["access_token"])["sub"] == claims["sub"]


@pytest.mark.spec("OpenID Connect Core", "3.2.2.1")
@pytest.mark.parametrize("response_type", ["id_token", "id_token token", "code id_token", "code id_token token"])
def test_a_nonce_is_demanded(basic: Party, runner: Runner, response_type: str) -> None:
    asked = {"client_id": "basic", "response_type": response_type, "redirect_uri": basic.callback, "scope": "openid"}
    answer = runner.authorize(**asked, state=STATE)
    assert (answer["error"], answer["mode"]) == ("invalid_request", "fragment")


@pytest.mark.spec("OpenID Connect Core", "3.3")
@pytest.mark.spec("OAuth 2.0 Form Post Response Mode", "2")
@pytest.mark.parametrize("mode", ["fragment", "form_post"])
@pytest.mark.parametrize("response_type", ["code id_token", "code token", "code id_token token"])
def test_hybrid(basic: Party, runner: Runner, response_type: str, mode: str) -> None:
    answer = basic.ask(response_type, response_mode=mode)
    assert answer["mode"] == mode
    assert ("access_token" in answer) == ("token" in response_type.split())
    if "id_token" in answer:
        told = {name: answer[name] for name in ("code", "access_token") if name in answer}
        runner.id_token(answer["id_token"], "basic", nonce=NONCE, **told)
    tokens = basic.tokens(answer["code"])
    last = runner.id_token(tokens["id_token"], "basic", nonce=NONCE)
    assert runner.userinfo(tokens["access_token"])["sub"] == last["sub"]


def test_form_post_of_a_code_and_of_an_error(basic: Party, runner: Runner) -> None:
    refused = basic.ask("code", response_mode="form_post", prompt="none")
    assert (refused["mode"], refused["error"]) == ("form_post", "login_required")
    answer = basic.ask("code", response_mode="form_post")
    assert answer["mode"] == "form_post"
    runner.id_token(basic.tokens(answer["code"])["id_token"], "basic", nonce=NONCE)


# Dynamic


def register(runner: Runner, **metadata: Any) -> Answer:
    callback = f"{runner.installation.suite_origin}/test/a/op/callback"
    response = runner.http.post(runner.endpoint("registration"), json={"redirect_uris": [callback]} | metadata)
    assert response.status_code == 201, response.text
    information: Answer = response.json()
    return information


def registered(runner: Runner, **metadata: Any) -> Party:
    information = register(runner, **metadata)
    return Party(runner, information["client_id"], information["client_secret"])


@pytest.mark.spec("OpenID Connect Dynamic Client Registration", "3.1")
@pytest.mark.spec("OpenID Connect Dynamic Client Registration", "4.2")
def test_dynamic(runner: Runner) -> None:
    information = register(runner, client_name="The suite's client", contacts=["suite@example.org"])
    own = {"Authorization": f"Bearer {information['registration_access_token']}"}
    read = runner.http.get(information["registration_client_uri"], headers=own)
    assert read.json()["client_id"] == information["client_id"]
    party = Party(runner, information["client_id"], information["client_secret"])
    tokens = party.tokens(party.ask("code")["code"])
    runner.id_token(tokens["id_token"], party.client_id, nonce=NONCE)
    deleted = runner.http.delete(information["registration_client_uri"], headers=own)
    assert deleted.status_code == 204
    assert runner.http.get(information["registration_client_uri"], headers=own).status_code == 401


def test_dynamic_with_keys_behind_a_jwks_uri(runner: Runner, suite: Receiver) -> None:
    """The keys are fetched over TLS of the suite's authority, and anew when the client's key has changed."""
    key, later = KeyHolder("RS256", kid="first"), KeyHolder("RS256", kid="second")
    uri = suite.answer("/test/a/op/jwks", Reply(200, key.jwks), Reply(200, later.jwks))
    client_id = register(runner, jwks_uri=uri, token_endpoint_auth_method="private_key_jwt")["client_id"]
    party = Party(runner, client_id, "")
    for holder in (key, later):
        form = {
            "grant_type": "authorization_code", "code": party.ask("code")["code"], "redirect_uri": party.callback,
        }  # fmt: skip
        response = runner.post("token", form | runner.assertion(client_id, holder))
        assert response.status_code == 200, response.text
    assert len(suite.at("/test/a/op/jwks")) == 2


@pytest.mark.spec("OpenID Connect Core", "6.2")
def test_dynamic_with_a_request_uri(runner: Runner, suite: Receiver) -> None:
    key = KeyHolder("RS256")
    address = suite.url("/test/a/op/request")
    party = registered(runner, jwks=json.loads(key.jwks), request_uris=[address], request_object_signing_alg="RS256")
    request = runner.request_object(
        party.client_id, key, response_type="code", redirect_uri=party.callback, scope="openid", state=STATE, nonce="r"
    )
    suite.answer("/test/a/op/request", Reply(200, request, (("content-type", "application/oauth-authz-req+jwt"),)))
    answer = party.ask("code", request_uri=address, nonce="not this one")
    assert runner.id_token(party.tokens(answer["code"])["id_token"], party.client_id)["nonce"] == "r"


@pytest.mark.spec("OpenID Connect Core", "5.3.2")
def test_dynamic_with_signed_userinfo(runner: Runner) -> None:
    party = registered(runner, userinfo_signed_response_alg="RS256")
    token = party.tokens(party.ask("code")["code"])["access_token"]
    answer = runner.http.get(runner.endpoint("userinfo"), headers={"Authorization": f"Bearer {token}"})
    assert answer.headers["content-type"].partition(";")[0] == "application/jwt"
    claims = runner.verified(answer.text).claims
    assert (claims["iss"], claims["aud"]) == (runner.issuer, party.client_id)


@pytest.mark.spec("OpenID Connect Core", "8.1")
def test_dynamic_with_a_sector_identifier(runner: Runner, suite: Receiver) -> None:
    callback = f"{runner.installation.suite_origin}/test/a/op/callback"
    uri = suite.answer("/test/a/op/sector", Reply.json([callback]))
    parties = [registered(runner, subject_type="pairwise", sector_identifier_uri=uri) for _ in range(2)]
    subjects = {
        runner.id_token(party.tokens(party.ask("code")["code"])["id_token"], party.client_id)["sub"]
        for party in parties
    }
    everybody = registered(runner)
    subjects.add(
        runner.id_token(everybody.tokens(everybody.ask("code")["code"])["id_token"], everybody.client_id)["sub"]
    )
    assert len(subjects) == 2
    wrong = suite.answer("/test/a/op/other-sector", Reply.json(["https://other.example/cb"]))
    refused = runner.http.post(
        runner.endpoint("registration"),
        json={"redirect_uris": [callback], "subject_type": "pairwise", "sector_identifier_uri": wrong},
    )
    assert refused.json()["error"] == "invalid_client_metadata"


def test_dynamic_keys_of_the_server_rotate_while_it_runs(runner: Runner) -> None:
    """The command of the page."""
    party = registered(runner)
    before = party.tokens(party.ask("code")["code"])["id_token"]
    script = next(block for block in runner.installation.blocks("sh") if "keys rotate" in block)
    runner.installation.run(script.splitlines()[0])
    after = party.tokens(party.ask("code", prompt="none")["code"])["id_token"]
    kids = [runner.verified(token).header["kid"] for token in (before, after)]
    assert kids[0] != kids[1]


# Logout and Session Management


def signed_in(party: Party) -> tuple[Answer, str]:
    answer = party.ask("code")
    return answer, party.tokens(answer["code"])["id_token"]


def log_out(runner: Runner, **parameters: str) -> Any:
    return runner.walk(runner.browser, f"{runner.metadata['end_session_endpoint']}?{urlencode(parameters)}")


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
        return hashlib.sha256(text.encode()).hexdigest() == digest

    assert is_current()
    assert "code" in basic.ask("code", prompt="none")
    assert is_current()
    log_out(runner, id_token_hint=hint)
    assert not is_current()
