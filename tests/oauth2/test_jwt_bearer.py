"""JWT assertions as grants (RFC 7523 §2.1): trusted issuers, the client's own, each good once."""

import base64
import time
from typing import Any

import pytest

from identity.administration import users
from identity.domain.applications import JWT_BEARER
from tests.support.builders import Client, Site, claims_of
from tests.support.key_holder import KeyHolder, new_jti
from tests.support.trusted import Trusted

pytestmark = pytest.mark.long

Answer = dict[str, Any]


def batch(site: Site, **settings: Any) -> Client:
    values: dict[str, Any] = {
        "grant_types": (JWT_BEARER,), "redirect_uris": (), "scopes": ("read",), "access_token_type": "jwt",
    }  # fmt: skip
    return site.application("Batch", **(values | settings))


def assert_it(site: Site, client: Client, assertion: str, **form: str) -> tuple[int, Answer]:
    response = site.token(client, grant_type=JWT_BEARER, assertion=assertion, **form)
    return response.status_code, response.json()


def refusal(site: Site, client: Client, assertion: str, **form: str) -> str:
    status, answer = assert_it(site, client, assertion, **form)
    assert status == 400, answer
    error: str = answer["error"]
    return error


@pytest.mark.spec("RFC 7523", "2.1")
@pytest.mark.spec("RFC 7523", "3")
def test_an_assertion_about_a_person(site: Site) -> None:
    client, issuer = batch(site), Trusted(site)
    sub = claims_of(site.tokens(site.application(), site.jane)["id_token"])["sub"]
    status, answer = assert_it(site, client, issuer.token(), scope="openid read")
    assert (status, answer["scope"]) == (200, "openid read")
    assert answer.keys() == {"access_token", "token_type", "expires_in", "scope"}
    claims = claims_of(answer["access_token"])
    assert (claims["sub"], claims["client_id"], claims["aut"]) == (sub, client.client_id, "APPLICATION_USER")


def test_a_refresh_token_for_who_has_that_grant(site: Site) -> None:
    client, issuer = batch(site, grant_types=(JWT_BEARER, "refresh_token")), Trusted(site)
    assert site.jane
    answer = assert_it(site, client, issuer.token())[1]
    assert site.refresh(client, answer["refresh_token"]).status_code == 200


@pytest.mark.spec("RFC 7523", "3")
@pytest.mark.parametrize("jti", ["one", None])
def test_it_is_good_once(site: Site, jti: str | None) -> None:
    """Also without a jti; and for another client too: the assertion is what is used up."""
    client, issuer = batch(site), Trusted(site)
    assert site.jane
    token = issuer.token(jti=jti)
    assert assert_it(site, client, token)[0] == 200
    assert refusal(site, client, token) == "invalid_grant"
    assert refusal(site, batch(site), token) == "invalid_grant"


@pytest.mark.spec("RFC 7523", "3")
def test_another_signature_of_the_same_words_is_no_other_assertion(site: Site) -> None:
    """From one ECDSA signature (r, s) anybody makes a second good one, (r, n - s)."""
    client, issuer = batch(site), Trusted(site)
    assert site.jane
    token = issuer.token(jti=None)
    assert assert_it(site, client, token)[0] == 200
    assert refusal(site, client, with_other_signature(token)) == "invalid_grant"
    fresh = with_other_signature(issuer.token(jti=None, sub="another"))
    assert assert_it(site, client, fresh)[0] == 200


def with_other_signature(token: str) -> str:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    words, _, encoded = token.rpartition(".")
    signature = base64.urlsafe_b64decode(encoded + "==")
    other = signature[:32] + (order - int.from_bytes(signature[32:])).to_bytes(32)
    return f"{words}.{base64.urlsafe_b64encode(other).rstrip(b'=').decode()}"


def test_a_refresh_gives_no_id_token(site: Site) -> None:
    """The person has not signed in here, at first or later."""
    client, issuer = batch(site, grant_types=(JWT_BEARER, "refresh_token")), Trusted(site)
    assert site.jane
    answer = assert_it(site, client, issuer.token(), scope="openid read")[1]
    assert "id_token" not in answer.keys() | site.refresh(client, answer["refresh_token"]).json().keys()


@pytest.mark.spec("RFC 9449", "7")
def test_a_bound_one_needs_the_key(site: Site) -> None:
    holder, client = KeyHolder(), batch(site)
    assert site.jane
    token = Trusted(site).token(cnf={"jkt": holder.thumbprint})
    assert refusal(site, client, token) == "invalid_grant"
    form = {"grant_type": JWT_BEARER, "assertion": token}
    headers = {"DPoP": holder.proof("POST", f"{site.base}/oauth2/token")}
    assert site.http.post("/oauth2/token", data=form, auth=client.basic, headers=headers).status_code == 200


def test_a_refused_one_is_not_used_up(site: Site) -> None:
    client, issuer = batch(site), Trusted(site)
    token = issuer.token(preferred_username="kim")
    assert refusal(site, client, token) == "invalid_grant"
    site.person("kim")
    assert assert_it(site, client, token)[0] == 200


@pytest.mark.spec("RFC 7523", "3.1")
@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"}, {"iss": 5}, {"aud": "https://other.example"}, {"aud": None}, {"sub": None},
        {"exp": None}, {"exp": 1}, {"exp": int(time.time()) + 8000, "iat": None}, {"exp": int(time.time()) + 8000},
        {"iat": int(time.time()) - 2000}, {"iat": int(time.time()) + 86_400}, {"nbf": int(time.time()) + 86_400},
        {"jti": 5}, {"jti": "x" * 600}, {"preferred_username": "nobody"}, {"events": {}},
    ],
)  # fmt: skip
@pytest.mark.any_engine
def test_refused(site: Site, claims: dict[str, Any]) -> None:
    client, issuer = batch(site), Trusted(site)
    assert site.jane
    assert refusal(site, client, issuer.token(**claims)) == "invalid_grant"


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "dpop+jwt", "oauth-id-jag+jwt", "x"])
def test_a_jwt_of_another_kind(site: Site, typ: str) -> None:
    client, issuer = batch(site), Trusted(site)
    assert site.jane
    assert refusal(site, client, issuer.token(typ=typ)) == "invalid_grant"


@pytest.mark.parametrize("text", ["x", "x.y.z", "a.b.c.d.e", "at_x", "ac_x"])
def test_what_is_no_jwt(site: Site, text: str) -> None:
    assert refusal(site, batch(site), text) == "invalid_grant"


def test_our_own_tokens_are_no_assertions(site: Site) -> None:
    client = batch(site, grant_types=(JWT_BEARER, "authorization_code"), redirect_uris=("https://app.example/cb",))
    tokens = site.tokens(client, site.jane)
    for token in (tokens["access_token"], tokens["id_token"]):
        assert refusal(site, client, token) == "invalid_grant"


def test_without_an_assertion(site: Site) -> None:
    response = site.token(batch(site), grant_type=JWT_BEARER)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


def test_whose_account_is_disabled(site: Site) -> None:
    client, issuer = batch(site), Trusted(site)
    assert site.jane
    site.in_tenant(lambda a, t: users.set_user_enabled(a, t, "jane", False))
    assert refusal(site, client, issuer.token()) == "invalid_grant"


class TestTheClientItself:
    def assertion(self, site: Site, client: Client, holder: KeyHolder, **claims: Any) -> str:
        at = int(time.time())
        told = {
            "iss": client.client_id, "sub": "jane", "aud": site.issuer, "iat": at, "exp": at + 60, "jti": new_jti(),
        }  # fmt: skip
        return holder.sign({"kid": holder.kid}, told | claims)

    def test_where_it_may_impersonate(self, site: Site) -> None:
        holder = KeyHolder()
        client = batch(site, jwks=holder.jwks, may_impersonate=True)
        sub = claims_of(site.tokens(site.application(), site.jane)["id_token"])["sub"]
        for name in ("jane", sub):
            status, answer = assert_it(site, client, self.assertion(site, client, holder, sub=name))
            assert (status, claims_of(answer["access_token"])["sub"]) == (200, sub)
        token = self.assertion(site, client, holder)
        assert assert_it(site, client, token)[0] == 200
        assert refusal(site, client, token) == "invalid_grant"

    def test_otherwise_not(self, site: Site) -> None:
        holder = KeyHolder()
        client = batch(site, jwks=holder.jwks)
        assert site.jane
        assert refusal(site, client, self.assertion(site, client, holder)) == "invalid_grant"

    @pytest.mark.parametrize(
        "claims", [{"sub": "nobody"}, {"sub": 5}, {"aud": "https://other.example"}, {"exp": 1}, {"iat": 1}]
    )
    def test_refused(self, site: Site, claims: dict[str, Any]) -> None:
        holder = KeyHolder()
        client = batch(site, jwks=holder.jwks, may_impersonate=True)
        assert site.jane
        assert refusal(site, client, self.assertion(site, client, holder, **claims)) == "invalid_grant"

    def test_not_with_another_client_s_key_nor_about_itself(self, site: Site) -> None:
        client = batch(site, jwks=KeyHolder().jwks, may_impersonate=True)
        assert site.jane
        assert refusal(site, client, self.assertion(site, client, KeyHolder())) == "invalid_grant"
        holder = KeyHolder()
        client = batch(site, jwks=holder.jwks, may_impersonate=True)
        own = self.assertion(site, client, holder, sub=client.client_id)
        assert refusal(site, client, own) == "invalid_grant"

    def test_a_client_assertion_is_no_grant(self, site: Site) -> None:
        """It says who the client is, about nobody else; its jti is another door's."""
        holder = KeyHolder()
        client = batch(site, jwks=holder.jwks, may_impersonate=True)
        assert refusal(site, client, holder.assertion(client.client_id, site.issuer)) == "invalid_grant"
