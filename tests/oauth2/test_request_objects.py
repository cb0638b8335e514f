"""Request objects (RFC 9101, OpenID Connect Core §6): by value, by reference, pushed; signed and encrypted."""

import json
import time
from typing import Any

import httpx
import pytest
from joserfc import jwe
from joserfc.jwk import ECKey, KeySet, RSAKey

from identity.administration.keys import ensure_key
from tests.support.authorization import plain_request, pushed_url, request_object, signing_client
from tests.support.browser import Browser, Page
from tests.support.builders import CALLBACK, Client, Site, claims_of, response_parameters
from tests.support.in_process import TimedSite
from tests.support.key_holder import KeyHolder, assertion_form
from tests.support.receiver import Receiver, Reply

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

HOLDER = KeyHolder()


def by_value(site: Site, client: Client, token: str, *, browser: Browser | None = None, **outside: str) -> Page:
    """As OpenID Connect Core §6.1 sends it: client_id and response_type beside the object."""
    parameters: dict[str, str | None] = dict.fromkeys(("redirect_uri", "scope", "state"), None)
    return (browser or site.browser()).get(site.authorize_url(client, **(parameters | {"request": token} | outside)))


def signed_in(site: Site, page: Page) -> dict[str, str]:
    return response_parameters(page.submit("login-submit", username="jane", password=site.jane.password))


def refused(page: Page) -> str:
    """The error's code, which went to no application: there was no redirect address to believe."""
    assert page.left_for is None, str(page)
    return page.element("error-code").text


@pytest.mark.spec("RFC 9101", "5.1")
@pytest.mark.spec("OpenID Connect Core", "6.1")
def test_by_value(site: Site) -> None:
    client = signing_client(site, HOLDER)
    token = request_object(site, client, HOLDER, nonce="inside", max_age=3600, claims={"id_token": {"email": None}})
    answer = signed_in(site, by_value(site, client, token))
    assert answer["state"] == "the-state"
    claims = claims_of(site.redeem(client, answer["code"]).json()["id_token"])
    assert (claims["nonce"], claims["email"]) == ("inside", "jane@example.org")


@pytest.mark.spec("RFC 9101", "6.3")
def test_only_what_is_inside_counts(site: Site) -> None:
    """RFC 9101 for everybody, and not OpenID Connect Core §6.1, which adds what stands beside the object."""
    client = signing_client(site, HOLDER, redirect_uris=(CALLBACK, "https://app.example/other"))
    token = request_object(site, client, HOLDER, state=None)
    outside: dict[str, Any] = {
        "redirect_uri": "https://app.example/other", "state": "outside", "nonce": "outside",
        "response_mode": "fragment", "scope": "openid email", "prompt": "none", "response_type": "none",
    }  # fmt: skip
    page = by_value(site, client, token, **outside)
    page = page.submit("login-submit", username="jane", password=site.jane.password)
    assert page.left_for is not None
    assert page.left_for.url.startswith(f"{CALLBACK}?")
    assert "state" not in page.left_for.parameters
    tokens = site.redeem(client, page.left_for.parameters["code"]).json()
    assert tokens["scope"] == "openid"
    assert "nonce" not in claims_of(tokens["id_token"])


def test_an_error_is_answered_in_the_mode_of_the_object(site: Site) -> None:
    client = signing_client(site, HOLDER)
    token = request_object(site, client, HOLDER, response_mode="fragment", prompt="none", state="inside")
    page = by_value(site, client, token, state="outside")
    assert page.left_for is not None
    assert page.left_for.url.startswith(f"{CALLBACK}#")
    assert page.left_for.parameters["state"] == "inside"
    assert page.left_for.parameters["error"] == "login_required"


@pytest.mark.spec("RFC 9101", "6.2")
@pytest.mark.spec("RFC 9101", "7")
def test_where_the_error_of_a_bad_object_goes(site: Site) -> None:
    """A registered redirect_uri beside it is believed for that, and nothing else is."""
    client = signing_client(site, HOLDER)
    bad = request_object(site, client, KeyHolder())
    assert refused(by_value(site, client, bad)) == "invalid_request_object"
    assert refused(by_value(site, client, bad, redirect_uri="https://evil.example/")) == "invalid_request_object"
    page = by_value(site, client, bad, redirect_uri=CALLBACK, state="outside")
    answer = response_parameters(page)
    assert (answer["error"], answer["state"], answer["iss"]) == ("invalid_request_object", "outside", site.issuer)


@pytest.mark.spec("RFC 9101", "4")
@pytest.mark.spec("RFC 9101", "6.3")
@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "somebody-else"},
        {"client_id": "somebody-else"},
        {"iss": None, "client_id": None},
        {"aud": "https://other.example"},
        {"aud": ["https://other.example"]},
        {"aud": []},
        {"aud": 7},
        {"exp": 1},
        {"exp": "tomorrow"},
        {"nbf": 2**40},
        {"sub": "somebody"},
        {"request": "a.b.c"},
        {"request_uri": "https://app.example/r"},
        {"state": 1.5},
        {"redirect_uri": [CALLBACK]},
        {"scope": ["openid"]},
        {"prompt": True},
        {"nonce": {"a": 1}},
    ],
    ids=str,
)
def test_what_an_object_must_not_be(site: Site, claims: dict[str, Any]) -> None:
    client = signing_client(site, HOLDER)
    assert refused(by_value(site, client, request_object(site, client, HOLDER, **claims))) == "invalid_request_object"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["https://other.example", "ISSUER"]},
        {"iss": None},
        {"client_id": None},
        {"exp": None, "nbf": None, "jti": None},
        {"aud": None},
    ],
    ids=str,
)
def test_what_an_object_may_leave_out(site: Site, claims: dict[str, Any]) -> None:
    """Without a profile: OpenID Connect Core §6.1 only recommends iss and aud. Decision 3 for the audience."""
    client = signing_client(site, HOLDER)
    if "ISSUER" in (claims.get("aud") or ()):
        claims = {"aud": ["https://other.example", site.issuer]}
    token = request_object(site, client, HOLDER, **claims)
    assert by_value(site, client, token).has("login-submit")


@pytest.mark.spec("RFC 9101", "10.5")
@pytest.mark.parametrize("claims", [{}, {"exp": None}, {"aud": None}, {"nbf": None}], ids=str)
def test_where_a_signed_request_is_demanded(site: Site, claims: dict[str, Any]) -> None:
    client = signing_client(site, HOLDER, require_signed_request_object=True)
    answer = response_parameters(site.browser().get(site.authorize_url(client)))
    assert answer["error"] == "invalid_request"
    page = by_value(site, client, request_object(site, client, HOLDER, **claims))
    if claims in ({}, {"nbf": None}):
        assert page.has("login-submit")
    else:
        assert refused(page) == "invalid_request_object"


@pytest.mark.spec("RFC 9101", "10.2")
def test_the_registered_algorithm_alone(site: Site) -> None:
    other = KeyHolder("PS256", kid="k2")
    jwks = json.dumps({"keys": [*json.loads(HOLDER.jwks)["keys"], *json.loads(other.jwks)["keys"]]})
    free, bound = (site.application(jwks=jwks, request_object_signing_alg=alg) for alg in (None, "ES256"))
    for holder in (HOLDER, other):
        assert by_value(site, free, request_object(site, free, holder)).has("login-submit")
    assert by_value(site, bound, request_object(site, bound, HOLDER)).has("login-submit")
    assert refused(by_value(site, bound, request_object(site, bound, other))) == "invalid_request_object"


@pytest.mark.parametrize(
    ("typ", "accepted"),
    [
        ("oauth-authz-req+jwt", True), ("application/oauth-authz-req+jwt", True), ("JWT", True), (None, True),
        ("at+jwt", False), ("dpop+jwt", False), ("logout+jwt", False), ("", False),
    ],
)  # fmt: skip
@pytest.mark.spec("RFC 9101", "10.8")
def test_the_type_of_the_token(site: Site, typ: str | None, accepted: bool) -> None:
    client = signing_client(site, HOLDER)
    page = by_value(site, client, request_object(site, client, HOLDER, header={"typ": typ}))
    assert page.has("login-submit") is accepted


@pytest.mark.spec("RFC 9101", "10.8")
def test_a_client_assertion_is_no_request(site: Site) -> None:
    client = signing_client(site, HOLDER, token_endpoint_auth_method="private_key_jwt")
    parameters = plain_request(client)
    token = HOLDER.assertion(parameters.pop("client_id"), site.issuer, **parameters)
    assert refused(by_value(site, client, token)) == "invalid_request_object"


def test_an_application_without_keys(site: Site) -> None:
    client = site.application()
    page = by_value(site, client, request_object(site, client, HOLDER))
    assert refused(page) == "invalid_request_object"


def test_an_object_of_another_application(site: Site) -> None:
    first, second = signing_client(site, HOLDER), signing_client(site, HOLDER)
    token = request_object(site, first, HOLDER)
    assert refused(by_value(site, second, token)) == "invalid_request_object"


class TestByReference:
    def client(self, site: Site, *uris: str, **settings: Any) -> Client:
        return signing_client(site, HOLDER, request_uris=uris, **settings)

    def fetched(self, site: Site, client: Client, uri: str, **outside: str) -> Page:
        left_out: dict[str, str | None] = dict.fromkeys(("redirect_uri", "scope", "state"), None)
        return site.browser().get(site.authorize_url(client, **(left_out | {"request_uri": uri} | outside)))

    @pytest.mark.spec("RFC 9101", "5.2")
    @pytest.mark.spec("OpenID Connect Core", "6.2")
    @pytest.mark.parametrize("fragment", ["", "#hYtd7PCTMwGFo6dsuWjhyZtdrSYfcwxmqC9d3bqnEEk"])
    def test_it_is_fetched(self, site: Site, receiver: Receiver, fragment: str) -> None:
        uri = receiver.url("/object") + fragment
        client = self.client(site, uri)
        receiver.answer("/object", Reply(200, request_object(site, client, HOLDER, state="inside") + "\n"))
        assert signed_in(site, self.fetched(site, client, uri))["state"] == "inside"
        assert len(receiver.at("/object")) == 1
        assert receiver.at("/object")[0].method == "GET"

    @pytest.mark.parametrize("change", ["/other", "/object/", "/object?x=1", "/OBJECT", "/object#fragment"])
    def test_only_registered_addresses_to_the_letter(self, site: Site, receiver: Receiver, change: str) -> None:
        client = self.client(site, receiver.url("/object"))
        assert refused(self.fetched(site, client, receiver.url(change))) == "invalid_request_uri"
        assert receiver.received == []

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(404), Reply(500, "x"), Reply(302, "", (("location", "/elsewhere"),)), Reply(200, b"\xff\xfe"),
            Reply(200, "x" * 70_000),
        ],
        ids=["404", "500", "redirect", "not text", "too large"],
    )  # fmt: skip
    @pytest.mark.spec("RFC 9101", "7")
    def test_what_cannot_be_had(self, site: Site, receiver: Receiver, reply: Reply) -> None:
        client = self.client(site, receiver.answer("/object", reply))
        page = self.fetched(site, client, receiver.url("/object"))
        assert refused(page) == "invalid_request_uri"
        assert "/elsewhere" not in [request.path for request in receiver.received]
        # Neither status nor cause is told: the answers of what stands behind us are nobody's business.
        assert all(word not in page.element("error-message").text for word in ("404", "500", "302", "localhost"))

    def test_what_is_there_is_no_request_object(self, site: Site, receiver: Receiver) -> None:
        client = self.client(site, receiver.answer("/object", Reply(200, "<html>")))
        assert refused(self.fetched(site, client, receiver.url("/object"))) == "invalid_request_object"

    def test_no_answer(self, site: Site) -> None:
        uri = "http://localhost:1/object"
        client = self.client(site, uri)
        assert refused(self.fetched(site, client, uri)) == "invalid_request_uri"

    def test_not_while_pushing(self, site: Site, receiver: Receiver) -> None:
        client = self.client(site, receiver.url("/object"))
        form = plain_request(client, request_uri=receiver.url("/object"))
        assert site.http.post("/oauth2/par", data=form, auth=client.basic).json()["error"] == "invalid_request"
        assert receiver.received == []


class TestPushed:
    def push(self, site: Site, client: Client, token: str, **beside: str) -> httpx.Response:
        return site.http.post("/oauth2/par", data={"request": token} | beside, auth=client.basic)

    @pytest.mark.spec("RFC 9126", "3")
    def test_an_object_is_pushed(self, site: Site) -> None:
        client = signing_client(site, HOLDER, require_signed_request_object=True)
        token = request_object(site, client, HOLDER, state="inside")
        response = self.push(site, client, token, state="beside", redirect_uri="https://evil.example/")
        assert response.status_code == 201, response.text
        page = site.browser().get(pushed_url(site, client, response.json()["request_uri"]))
        assert signed_in(site, page)["state"] == "inside"

    @pytest.mark.spec("RFC 9126", "3")
    def test_another_clients_object(self, site: Site) -> None:
        first, second = signing_client(site, HOLDER), signing_client(site, HOLDER)
        response = self.push(site, second, request_object(site, first, HOLDER))
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request_object")

    def test_an_unsigned_push_where_signing_is_demanded(self, site: Site) -> None:
        client = signing_client(site, HOLDER, require_signed_request_object=True)
        response = site.http.post("/oauth2/par", data=plain_request(client), auth=client.basic)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")

    def test_with_an_assertion(self, site: Site) -> None:
        client = signing_client(site, HOLDER, token_endpoint_auth_method="private_key_jwt")
        form = assertion_form(HOLDER.assertion(client.client_id, site.issuer))
        form["request"] = request_object(site, client, HOLDER)
        assert site.http.post("/oauth2/par", data=form).status_code == 201


def test_the_clock_of_the_application(timed: TimedSite) -> None:
    client = signing_client(timed, HOLDER)
    now = timed.clock.now() // 1_000_000
    for claims, accepted in (
        ({"exp": now + 1}, True), ({"exp": now - 5}, True), ({"exp": now - 11}, False),
        ({"nbf": now + 5}, True), ({"nbf": now + 30}, False),
    ):  # fmt: skip
        token = request_object(timed, client, HOLDER, now=now, **dict[str, Any](claims))
        assert by_value(timed, client, token).has("login-submit") is accepted, claims


class TestEncrypted:
    """RFC 9101 §6.1: signed by the application, then encrypted to a key of ours."""

    def encrypted(self, site: Site, token: str, algorithm: str, encryption: str, **header: Any) -> str:
        keys = site.http.get("/oauth2/jwks").json()["keys"]
        kty = "RSA" if algorithm.startswith("RSA") else "EC"
        jwk = next(key for key in keys if (key.get("use"), key["kty"]) == ("enc", kty))
        key = (RSAKey if kty == "RSA" else ECKey).import_key(jwk)
        protected = {"alg": algorithm, "enc": encryption, "kid": jwk["kid"], "cty": "JWT"} | header
        return jwe.encrypt_compact(protected, token, key, algorithms=[algorithm, encryption])

    def client(self, site: Site, **settings: Any) -> Client:
        for algorithm in ("RSA-OAEP-256", "ECDH-ES"):
            site.administer(lambda a, name=algorithm: ensure_key(a, site.tenant, name))  # type: ignore[misc]
        return signing_client(site, HOLDER, **settings)

    @pytest.mark.spec("RFC 9101", "6.1")
    @pytest.mark.parametrize("algorithm", ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"])
    @pytest.mark.parametrize("encryption", ["A128GCM", "A256GCM"])
    def test_each_algorithm(self, site: Site, algorithm: str, encryption: str) -> None:
        client = self.client(site)
        token = self.encrypted(site, request_object(site, client, HOLDER), algorithm, encryption)
        assert by_value(site, client, token).has("login-submit")

    def test_the_registered_one_alone(self, site: Site) -> None:
        client = self.client(site, request_object_encryption_alg="ECDH-ES", request_object_encryption_enc="A256GCM")
        signed = request_object(site, client, HOLDER)
        assert by_value(site, client, self.encrypted(site, signed, "ECDH-ES", "A256GCM")).has("login-submit")
        for algorithm, encryption in (("RSA-OAEP-256", "A256GCM"), ("ECDH-ES", "A128GCM")):
            token = self.encrypted(site, signed, algorithm, encryption)
            assert refused(by_value(site, client, token)) == "invalid_request_object"

    def test_encrypted_is_not_signed(self, site: Site) -> None:
        """Anybody has our public key."""
        client = self.client(site)
        told = {"iss": client.client_id, "aud": site.issuer, "exp": int(time.time()) + 300} | plain_request(client)
        for inside in (json.dumps(told), request_object(site, client, KeyHolder())):
            token = self.encrypted(site, inside, "RSA-OAEP-256", "A128GCM")
            assert refused(by_value(site, client, token)) == "invalid_request_object"

    def test_encrypted_to_somebody_else(self, site: Site) -> None:
        client = self.client(site)
        key = RSAKey.generate_key(2048)
        header = {"alg": "RSA-OAEP-256", "enc": "A128GCM", "cty": "JWT"}
        token = jwe.encrypt_compact(header, request_object(site, client, HOLDER), KeySet([key]).keys[0],
                                    algorithms=["RSA-OAEP-256", "A128GCM"])  # fmt: skip
        assert refused(by_value(site, client, token)) == "invalid_request_object"
