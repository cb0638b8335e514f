"""The FAPI profiles, walked as a certification run does (docs/test-installations.md)."""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.interop.installation import FIRST, SECOND, Installation
from tests.interop.runner import Answer, Runner
from tests.support.builders import Pkce
from tests.support.key_holder import KeyHolder, assertion_form
from tests.support.receiver import Receiver

NONCE, STATE = "n-0S6_WzA2Mj", "af0ifjsldkj"
CIBA = "urn:openid:params:grant-type:ciba"


@pytest.fixture
def runner(installation: Installation) -> Iterator[Runner]:
    made = Runner(installation, "fapi", FIRST)
    yield made
    made.close()


@dataclass
class Client:
    """One of the run's clients: by key or certificate, bound by certificate or by a DPoP key of its own."""

    runner: Runner
    client_id: str
    by_certificate: bool = False
    dpop: KeyHolder | None = None

    @property
    def mtls(self) -> bool:
        return self.dpop is None

    @property
    def key(self) -> KeyHolder:
        return self.runner.installation.keys[FIRST]

    @property
    def callback(self) -> str:
        return f"{self.runner.installation.suite_origin}/test/a/fapi/callback"

    def asked(self, **parameters: Any) -> Answer:
        """The parameters of an authorization request."""
        return {
            "client_id": self.client_id, "response_type": "code", "redirect_uri": self.callback,
            "scope": "openid email", "state": STATE, "nonce": NONCE,
        } | parameters  # fmt: skip

    def signed(self, **parameters: Any) -> str:
        return self.runner.request_object(self.client_id, self.key, **self.asked(**parameters))

    def post(self, endpoint: str, form: Answer, *, proof: bool = True) -> httpx.Response:
        """With the client's authentication, and a proof of its key where it has one."""
        who = {"client_id": self.client_id} if self.by_certificate else self.runner.assertion(self.client_id, self.key)
        headers = {}
        if proof and self.dpop is not None:
            headers["DPoP"] = self.dpop.proof("POST", self.runner.endpoint(endpoint))
        return self.runner.post(endpoint, who | form, mtls=self.mtls, headers=headers)

    def pushed(self, form: Answer) -> Answer:
        """A request pushed, and the response to it."""
        response = self.post("pushed_authorization_request", form, proof=False)
        assert response.status_code == 201, response.text
        answer = response.json()
        assert 5 < answer["expires_in"] <= 600
        return self.runner.authorize(client_id=self.client_id, request_uri=answer["request_uri"])

    def redeem(self, code: str, pkce: Pkce | None = None) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.callback}
        return self.post("token", form | ({"code_verifier": pkce.verifier} if pkce else {}))

    def tokens(self, code: str, pkce: Pkce | None = None) -> Answer:
        response = self.redeem(code, pkce)
        assert response.status_code == 200, response.text
        answer: Answer = response.json()
        assert answer["token_type"] == ("Bearer" if self.dpop is None else "DPoP")
        return answer

    def resource(self, token: str) -> httpx.Response:
        """userinfo, as the resource that the run calls."""
        if self.dpop is None:
            bearer = {"Authorization": f"Bearer {token}"}
            return self.runner.at_mtls.get(self.runner.endpoint("userinfo", mtls=True), headers=bearer)
        uri = self.runner.endpoint("userinfo")
        proof = self.dpop.proof("GET", uri, access_token=token)
        return self.runner.http.get(uri, headers={"Authorization": f"DPoP {token}", "DPoP": proof})


def check_bound(client: Client, tokens: Answer) -> None:
    """The token is good for its owner, and for nobody without the key or certificate."""
    token, runner = tokens["access_token"], client.runner
    assert client.resource(token).json()["email"] == "jane@example.org"
    bearer = {"Authorization": f"Bearer {token}"}
    assert runner.http.get(runner.endpoint("userinfo"), headers=bearer).status_code == 401
    thief = Runner(runner.installation, "fapi", SECOND)
    try:
        assert thief.at_mtls.get(runner.endpoint("userinfo", mtls=True), headers=bearer).status_code == 401
    finally:
        thief.close()


def response_jwt(client: Client, answer: Answer) -> Answer:
    """JARM §2.4: the parameters of a signed response."""
    decoded = client.runner.verified(answer["response"])
    claims: Answer = decoded.claims
    assert answer.keys() == {"response", "mode"}
    assert decoded.header["alg"] == "PS256"
    assert (claims["iss"], claims["aud"]) == (client.runner.issuer, client.client_id)
    assert time.time() < claims["exp"] <= time.time() + 600
    assert claims["state"] == STATE
    return claims


# FAPI 1 Advanced

WAYS_1 = ["key", "certificate"]


@pytest.fixture(params=WAYS_1)
def advanced(runner: Runner, request: pytest.FixtureRequest) -> Client:
    return Client(runner, f"fapi1-{request.param}-1", by_certificate=request.param == "certificate")


@pytest.mark.spec("FAPI 1.0 Advanced", "5.2.2")
def test_fapi_1_advanced(advanced: Client) -> None:
    request = advanced.signed(response_type="code id_token")
    answer = advanced.runner.authorize(
        client_id=advanced.client_id, request=request, response_type="code id_token", scope="openid"
    )
    assert (answer["mode"], answer["state"]) == ("fragment", STATE)
    runner = advanced.runner
    front = runner.id_token(answer["id_token"], advanced.client_id, nonce=NONCE, code=answer["code"], state=STATE)
    assert not {"email", "name"} & front.keys()
    tokens = advanced.tokens(answer["code"])
    assert runner.id_token(tokens["id_token"], advanced.client_id, nonce=NONCE)["sub"] == front["sub"]
    check_bound(advanced, tokens)
    assert advanced.redeem(answer["code"]).json()["error"] == "invalid_grant"


@pytest.mark.spec("JARM", "2.1")
def test_fapi_1_advanced_with_jarm(advanced: Client) -> None:
    request = advanced.signed(response_mode="jwt")
    answer = advanced.runner.authorize(
        client_id=advanced.client_id, request=request, response_type="code", scope="openid"
    )
    assert answer["mode"] == "query"
    check_bound(advanced, advanced.tokens(response_jwt(advanced, answer)["code"]))


@pytest.mark.spec("FAPI 1.0 Advanced", "5.2.2")
def test_fapi_1_advanced_with_par(advanced: Client) -> None:
    pkce = Pkce()
    request = advanced.signed(response_type="code id_token", **pkce.parameters)
    answer = advanced.pushed({"request": request})
    assert "error" in advanced.redeem(answer["code"]).json()
    answer = advanced.pushed({"request": advanced.signed(response_mode="jwt", **pkce.parameters)})
    check_bound(advanced, advanced.tokens(response_jwt(advanced, answer)["code"], pkce))


@pytest.mark.parametrize(
    "parameters",
    [{"aud": "https://other.example"}, {"exp": None}, {"nbf": None}, {"nonce": None}, {"redirect_uri": None},
     {"exp": 1}, {"nbf": int(time.time()) - 7200}],
    ids=str,
)  # fmt: skip
def test_fapi_1_advanced_refuses_a_request_object(runner: Runner, parameters: Answer) -> None:
    client = Client(runner, "fapi1-key-1")
    request = client.signed(response_type="code id_token", **parameters)
    query = urlencode({"client_id": client.client_id, "request": request})
    page = runner.walk(f"{runner.metadata['authorization_endpoint']}?{query}")
    assert page.has("error-page") or (page.left_for is not None and "error" in page.left_for.parameters)
    assert page.left_for is None or "code" not in page.left_for.parameters


# FAPI 2


@pytest.fixture(params=["dpop", "certificate"])
def secured(runner: Runner, request: pytest.FixtureRequest) -> Client:
    if request.param == "dpop":
        return Client(runner, "fapi2-dpop-1", dpop=KeyHolder("ES256"))
    return Client(runner, "fapi2-certificate-1", by_certificate=True)


@pytest.mark.spec("FAPI 2.0 Security Profile", "5.3.2.2")
def test_fapi_2_security_profile(secured: Client) -> None:
    pkce, runner = Pkce(), secured.runner
    answer = secured.pushed(secured.asked(**pkce.parameters))
    assert (answer["iss"], answer["state"], answer["mode"]) == (runner.issuer, STATE, "query")
    assert secured.redeem(answer["code"]).json()["error"] == "invalid_grant"
    answer = secured.pushed(secured.asked(**pkce.parameters))
    tokens = secured.tokens(answer["code"], pkce)
    runner.id_token(tokens["id_token"], secured.client_id, nonce=NONCE)
    check_bound(secured, tokens)


def test_fapi_2_refresh_tokens_stay(secured: Client) -> None:
    pkce = Pkce()
    answer = secured.pushed(secured.asked(**pkce.parameters))
    first = secured.tokens(answer["code"], pkce)
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    for _ in range(2):
        response = secured.post("token", form)
        assert response.status_code == 200, response.text
        assert response.json().get("refresh_token", first["refresh_token"]) == first["refresh_token"]
    check_bound(secured, response.json())


def test_fapi_2_refuses_plain_requests_and_other_audiences(secured: Client) -> None:
    pkce, runner = Pkce(), secured.runner
    plain = runner.authorize(**secured.asked(**pkce.parameters))
    assert plain["error"] == "invalid_request"
    if not secured.by_certificate:
        # FAPI 2.0 Security Profile §5.3.2.1: the issuer as one string.
        for audience in (runner.endpoint("token"), [runner.issuer], runner.endpoint("pushed_authorization_request")):
            assertion = secured.key.assertion(secured.client_id, audience)
            form = assertion_form(assertion, **secured.asked(**pkce.parameters))
            refused = runner.post("pushed_authorization_request", form)
            assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


def test_fapi_2_a_request_uri_is_of_one_client_and_used_once(runner: Runner) -> None:
    client, pkce = Client(runner, "fapi2-dpop-1", dpop=KeyHolder("ES256")), Pkce()
    response = client.post("pushed_authorization_request", client.asked(**pkce.parameters), proof=False)
    uri = response.json()["request_uri"]
    endpoint = runner.metadata["authorization_endpoint"]
    for client_id, good in (("fapi2-dpop-2", False), ("fapi2-dpop-1", True), ("fapi2-dpop-1", False)):
        page = runner.walk(f"{endpoint}?" + urlencode({"client_id": client_id, "request_uri": uri}))
        assert (page.left_for is not None and "code" in page.left_for.parameters) is good, client_id


@pytest.mark.spec("RFC 9449", "10")
def test_fapi_2_a_code_bound_to_a_dpop_key(runner: Runner) -> None:
    client, pkce = Client(runner, "fapi2-dpop-1", dpop=KeyHolder("ES256")), Pkce()
    assert client.dpop is not None
    answer = client.pushed(client.asked(dpop_jkt=client.dpop.thumbprint, **pkce.parameters))
    other = Client(runner, "fapi2-dpop-1", dpop=KeyHolder("ES256"))
    assert "error" in other.redeem(answer["code"], pkce).json()


@pytest.mark.spec("FAPI 2.0 Message Signing", "5.3.1")
@pytest.mark.spec("FAPI 2.0 Message Signing", "5.4.1")
def test_fapi_2_message_signing(runner: Runner) -> None:
    client, pkce = Client(runner, "signing-1", dpop=KeyHolder("ES256")), Pkce()
    answer = client.pushed({"request": client.signed(response_mode="jwt", **pkce.parameters)})
    check_bound(client, client.tokens(response_jwt(client, answer)["code"], pkce))
    unsigned = client.post(
        "pushed_authorization_request", client.asked(response_mode="jwt", **pkce.parameters), proof=False
    )
    assert unsigned.json()["error"] == "invalid_request"


@pytest.mark.spec("FAPI 2.0 Message Signing", "5.5.1")
def test_fapi_2_message_signing_introspects_by_jwt(runner: Runner) -> None:
    client, pkce = Client(runner, "signing-1", dpop=KeyHolder("ES256")), Pkce()
    answer = client.pushed({"request": client.signed(response_mode="jwt", **pkce.parameters)})
    token = client.tokens(response_jwt(client, answer)["code"], pkce)["access_token"]
    form = {"token": token} | runner.assertion(client.client_id, client.key)
    response = runner.post("introspection", form, headers={"Accept": "application/token-introspection+jwt"})
    decoded = runner.verified(response.text)
    assert (decoded.header["typ"], decoded.header["alg"]) == ("token-introspection+jwt", "PS256")
    assert decoded.claims["aud"] == client.client_id
    told = decoded.claims["token_introspection"]
    assert client.dpop is not None
    assert (told["active"], told["cnf"]) == (True, {"jkt": client.dpop.thumbprint})


def test_keys_of_the_server_rotate_while_it_runs(runner: Runner) -> None:
    """The command of the page."""
    client = Client(runner, "fapi1-key-1")

    def signed_by() -> str:
        pkce = Pkce()
        answer = client.pushed({"request": client.signed(response_mode="jwt", **pkce.parameters)})
        response_jwt(client, answer)
        kid: str = runner.verified(answer["response"]).header["kid"]
        return kid

    before = signed_by()
    script = next(block for block in runner.installation.blocks("sh") if "keys rotate" in block)
    runner.installation.run(script.splitlines()[1])
    assert signed_by() != before


# FAPI-CIBA

Decide = Callable[[str, str], httpx.Response]


@pytest.fixture
def decide(runner: Runner) -> Decide:
    """The door of the page (decision 27)."""

    def post(auth_req_id: str, action: str) -> httpx.Response:
        return runner.http.post(runner.installation.approval_url.format(auth_req_id=auth_req_id, action=action))

    return post


def backchannel(client: Client, **parameters: Any) -> Answer:
    asked = {"scope": "openid email", "login_hint": "jane", "binding_message": "1234"} | parameters
    request = client.runner.request_object(client.client_id, client.key, **asked)
    response = client.post("backchannel_authentication", {"request": request})
    assert response.status_code == 200, response.text
    answer: Answer = response.json()
    assert answer["expires_in"] > 0
    return answer


def poll(client: Client, auth_req_id: str) -> httpx.Response:
    return client.post("token", {"grant_type": CIBA, "auth_req_id": auth_req_id})


@pytest.mark.spec("FAPI-CIBA", "5.2.2")
@pytest.mark.spec("OpenID CIBA Core", "7.1.1")
def test_fapi_ciba_poll(runner: Runner, decide: Decide) -> None:
    client = Client(runner, "ciba-poll-1")
    waiting, auth_req_id = (backchannel(client, requested_expiry=120)["auth_req_id"] for _ in range(2))
    assert poll(client, waiting).json()["error"] == "authorization_pending"
    assert decide(auth_req_id, "allow").status_code == 200
    check_approved(client, auth_req_id)
    assert poll(client, auth_req_id).json()["error"] == "invalid_grant"


def check_approved(client: Client, auth_req_id: str) -> None:
    """The first poll after the approval has the tokens."""
    response = poll(client, auth_req_id)
    assert response.status_code == 200, response.text
    tokens, runner = response.json(), client.runner
    runner.id_token(tokens["id_token"], client.client_id, access_token=tokens["access_token"])
    assert client.resource(tokens["access_token"]).json()["email"] == "jane@example.org"


@pytest.mark.spec("OpenID CIBA Core", "10.2")
def test_fapi_ciba_ping(runner: Runner, decide: Decide, suite: Receiver) -> None:
    client, secret = Client(runner, "ciba-ping-1"), secrets.token_urlsafe(24)
    auth_req_id = backchannel(client, client_notification_token=secret)["auth_req_id"]
    assert decide(auth_req_id, "allow").status_code == 200
    (ping,) = suite.wait_for("/test/a/fapi/ciba-notification")
    assert ping.headers["authorization"] == f"Bearer {secret}"
    assert ping.json() == {"auth_req_id": auth_req_id}
    check_approved(client, auth_req_id)


@pytest.mark.spec("OpenID CIBA Core", "11")
def test_fapi_ciba_denied(runner: Runner, decide: Decide) -> None:
    client = Client(runner, "ciba-poll-1")
    auth_req_id = backchannel(client)["auth_req_id"]
    assert decide(auth_req_id, "deny").status_code == 200
    assert poll(client, auth_req_id).json()["error"] == "access_denied"


def test_fapi_ciba_refuses_what_is_not_signed(runner: Runner) -> None:
    client = Client(runner, "ciba-poll-1")
    plain = {"scope": "openid", "login_hint": "jane", "binding_message": "1234"}
    assert client.post("backchannel_authentication", plain).json()["error"] == "invalid_request"


def test_the_door_needs_its_key(runner: Runner) -> None:
    auth_req_id = backchannel(Client(runner, "ciba-poll-1"))["auth_req_id"]
    url = runner.installation.approval_url.format(auth_req_id=auth_req_id, action="allow")
    assert runner.http.post(url.partition("&key=")[0]).status_code == 403
    assert runner.http.post(f"{url}x").status_code == 403
