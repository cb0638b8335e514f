"""private_key_jwt (RFC 7523 §2.2, §3; decisions 3 and 35)."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.oauth2.assertion_client import METHODS, ask, holder_of, of_method, outcome, seconds
from tests.support.builders import Site
from tests.support.in_process import TimedSite
from tests.support.key_holder import KeyHolder, assertion_form, new_jti
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.long


@pytest.mark.spec("RFC 7523", "2.2")
@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512", "PS256", "PS512", "RS256", "RS384", "EdDSA"])
def test_private_key_jwt(site: Site, algorithm: str) -> None:
    client, key = holder_of(site, algorithm=algorithm)
    response = ask(site, key.assertion(client.client_id, site.issuer))
    assert response.status_code == 200, response.text
    assert site.is_active(site.application("Gateway", may_introspect_any=True), response.json()["access_token"])


@pytest.mark.spec("RFC 7521", "4.2")
def test_the_client_id_may_be_left_out_or_has_to_agree(site: Site) -> None:
    client, key = holder_of(site)
    other, _ = holder_of(site)
    with_id = ask(site, key.assertion(client.client_id, site.issuer), client_id=client.client_id)
    assert with_id.status_code == 200
    wrong = ask(site, key.assertion(client.client_id, site.issuer), client_id=other.client_id)
    assert outcome(wrong) == (401, "invalid_client")


@pytest.mark.parametrize("endpoint", ["introspect", "revoke"])
def test_every_endpoint_that_authenticates_takes_assertions(site: Site, endpoint: str) -> None:
    client, key = holder_of(site)
    token = ask(site, key.assertion(client.client_id, site.issuer)).json()["access_token"]
    own = f"{site.base}/oauth2/{endpoint}"
    response = ask(site, key.assertion(client.client_id, own), endpoint, token=token)
    assert response.status_code == 200
    assert outcome(ask(site, key.assertion(client.client_id, "https://x.example"), endpoint, token=token))[0] == 401


@pytest.mark.spec("RFC 7523", "3")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("claims", "cause"),
    [
        ({"iss": "somebody"}, "iss"),
        ({"iss": None}, "no iss"),
        ({"aud": None}, "no aud"),
        ({"aud": "https://elsewhere.example"}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": {}}, "aud"),
        ({"aud": ""}, "aud"),
        ({"exp": None}, "no exp"),
        ({"exp": "in a minute"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": 0}, "expired"),
        ({"exp": 2**60}, "far"),
        ({"jti": None}, "no jti"),
        ({"jti": ""}, "jti"),
        ({"jti": 7}, "jti"),
        ({"jti": "j" * 513}, "jti"),
        ({"iat": "now"}, "iat"),
        ({"nbf": []}, "nbf"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.any_engine
def test_claims_that_are_missing_or_wrong(site: Site, method: str, claims: dict[str, Any], cause: str) -> None:
    client, key = of_method(site, method)
    response = ask(site, key.assertion(client.client_id, site.issuer, **claims))
    assert outcome(response) == (401, "invalid_client")
    assert response.json()["error_description"] == "Client authentication failed."
    assert "www-authenticate" not in response.headers
    assert ask(site, key.assertion(client.client_id, site.issuer)).status_code == 200


def test_the_subject_chooses_the_client_and_nothing_else(site: Site) -> None:
    client, key = holder_of(site)
    for subject in (None, "", 7, "nobody", [client.client_id]):
        assertion = key.assertion(client.client_id, site.issuer, sub=subject)
        assert outcome(ask(site, assertion)) == (401, "invalid_client")


@pytest.mark.spec("FAPI 2.0 Security Profile", "5.3.2.1")
@pytest.mark.parametrize(
    ("offsets", "status"),
    [
        ({"iat": 0, "exp": 3600}, 200),
        ({"iat": 0, "exp": 3611}, 401),
        ({"iat": 8, "exp": 60}, 200),
        ({"nbf": 8, "exp": 60}, 200),
        ({"iat": 61, "exp": 120}, 401),
        ({"nbf": 61, "exp": 120}, 401),
        ({"iat": -600, "exp": 60}, 200),
        ({"iat": -600, "exp": -11}, 401),
    ],
    ids=str,
)
def test_times(timed: TimedSite, offsets: dict[str, int], status: int) -> None:
    client, key = holder_of(timed)
    now = seconds(timed.clock)
    claims: Any = {name: now + offset for name, offset in offsets.items()}
    assert ask(timed, key.assertion(client.client_id, timed.issuer, now=now, **claims)).status_code == status


# Decision 3: a table of profile and audience.


@pytest.mark.spec("FAPI 2.0 Security Profile", "5.3.2.1")
@pytest.mark.parametrize("profile", ["", "fapi1_advanced", "fapi2_security", "fapi2_message_signing"])
@pytest.mark.parametrize(
    "audience",
    [
        "{issuer}", "{token}", "{called}", ["{issuer}"], ["{token}", "https://other.example"], ["{issuer}", 7],
        "{issuer}/", "{base}/oauth2/introspect", "{foreign}", "https://other.example", ["https://other.example"],
    ],
    ids=str,
)  # fmt: skip
def test_the_audience_by_profile(timed: TimedSite, profile: str, audience: Any) -> None:
    if profile:
        timed.change_settings(lambda s: _with_issuer(s, timed.base))
    issuer = timed.base if profile else timed.issuer
    algorithm = "PS256"
    client, key = holder_of(timed, algorithm=algorithm, profile=profile, dpop_bound_access_tokens=bool(profile))
    places = {
        "issuer": issuer, "token": f"{timed.base}/oauth2/token", "called": f"{timed.base}/oauth2/revoke",
        "base": timed.base, "foreign": f"{timed.server.base_url}/oauth2/token",
    }  # fmt: skip
    filled = (
        [a if isinstance(a, int) else a.format(**places) for a in audience]
        if isinstance(audience, list)
        else (audience.format(**places))
    )
    taken = {"{issuer}"} if profile.startswith("fapi2") else {"{issuer}", "{token}", "{called}"}
    expected = (
        audience in taken
        if isinstance(audience, str)
        else (
            not profile.startswith("fapi2")
            and all(isinstance(a, str) for a in audience)
            and not taken.isdisjoint(audience)
        )
    )
    assertion = key.assertion(client.client_id, filled, now=seconds(timed.clock))
    response = timed.http.post("/oauth2/revoke", data=assertion_form(assertion, token="x"))
    assert (response.status_code == 200) is expected, response.text


# One use


@pytest.mark.parametrize("method", METHODS)
def test_an_assertion_is_good_once(site: Site, method: str) -> None:
    client, key = of_method(site, method)
    assertion = key.assertion(client.client_id, site.issuer)
    assert ask(site, assertion).status_code == 200
    assert outcome(ask(site, assertion)) == (401, "invalid_client")
    again = ask(site, assertion, "introspect", token="x")
    assert outcome(again) == (401, "invalid_client")


def test_the_jti_counts_not_the_spelling(site: Site) -> None:
    client, key = holder_of(site)
    jti = new_jti()
    assert ask(site, key.assertion(client.client_id, site.issuer, jti=jti)).status_code == 200
    assert ask(site, key.assertion(client.client_id, site.issuer, jti=jti, exp=None, iat=None)).status_code == 401
    assert outcome(ask(site, key.assertion(client.client_id, site.issuer, jti=jti))) == (401, "invalid_client")


def test_two_clients_may_have_the_same_jti(site: Site) -> None:
    jti = new_jti()
    for _ in range(2):
        client, key = holder_of(site)
        assert ask(site, key.assertion(client.client_id, site.issuer, jti=jti)).status_code == 200


def test_of_many_at_once_one_is_first(site: Site) -> None:
    """Attack row 14."""
    client, key = holder_of(site)
    assertion = key.assertion(client.client_id, site.issuer)
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: ask(site, assertion).status_code, range(40)))
    assert sorted(statuses) == [200] + [401] * 39


def test_a_refused_assertion_is_not_used_up(site: Site) -> None:
    """Nobody can spend the jti of another client, nor by a bad signature."""
    client, key = holder_of(site)
    jti = new_jti()
    forged = KeyHolder().assertion(client.client_id, site.issuer, jti=jti)
    assert ask(site, forged).status_code == 401
    assert ask(site, key.assertion(client.client_id, site.issuer, jti=jti)).status_code == 200


def test_a_change_of_the_application_does_not_spend_the_assertion(site: Site) -> None:
    """Decision 35: the request is answered once more with what is stored now, and its assertion counts again."""
    client, key = holder_of(site)
    assert ask(site, key.assertion(client.client_id, site.issuer)).status_code == 200
    for kind in ("opaque", "jwt"):
        site.update(client, access_token_type=kind, scopes=("read",))
        assert ask(site, key.assertion(client.client_id, site.issuer)).status_code == 200


# Algorithms and keys


@pytest.mark.spec("RFC 7591", "2")
def test_the_algorithm_may_be_pinned(site: Site) -> None:
    pss, pkcs1 = KeyHolder("PS256"), KeyHolder("RS256")
    keys = json.dumps({"keys": [json.loads(key.jwks)["keys"][0] | {"kid": key.algorithm} for key in (pss, pkcs1)]})
    pss.kid, pkcs1.kid = "PS256", "RS256"
    client, _ = holder_of(site, jwks=keys, token_endpoint_auth_signing_alg="PS256")
    assert ask(site, pss.assertion(client.client_id, site.issuer)).status_code == 200
    assert outcome(ask(site, pkcs1.assertion(client.client_id, site.issuer))) == (401, "invalid_client")


@pytest.mark.parametrize("algorithm", ["RS256", "ES384", "PS512"])
def test_a_profile_bounds_the_algorithms(timed: TimedSite, algorithm: str) -> None:
    timed.change_settings(lambda s: _with_issuer(s, timed.base))
    client, key = holder_of(timed, algorithm=algorithm, profile="fapi2_security", dpop_bound_access_tokens=True)
    assertion = key.assertion(client.client_id, timed.base, now=seconds(timed.clock))
    response = timed.http.post("/oauth2/revoke", data=assertion_form(assertion, token="x"))
    assert outcome(response) == (401, "invalid_client")


@pytest.mark.spec("RFC 8725", "3.11")
@pytest.mark.parametrize(
    ("typ", "status"),
    [
        (None, 200), ("JWT", 200), ("jwt", 200), ("client-authentication+jwt", 200), ("at+jwt", 401),
        ("dpop+jwt", 401), ("oauth-authz-req+jwt", 401), ("logout+jwt", 401), ("", 401),
    ],
)  # fmt: skip
def test_other_kinds_of_jwt_are_no_assertions(site: Site, typ: str | None, status: int) -> None:
    client, key = holder_of(site)
    assert ask(site, key.assertion(client.client_id, site.issuer, typ=typ)).status_code == status


def test_the_keys_may_be_at_an_address(site: Site, receiver: Receiver) -> None:
    """OpenID Connect Core §10.1.1: an unknown `kid` means new keys."""
    old, new = KeyHolder(kid="old"), KeyHolder(kid="new")
    uri = receiver.answer("/jwks", Reply(200, old.jwks), Reply(200, new.jwks))
    client, _ = holder_of(site, jwks=None, jwks_uri=uri)
    assert ask(site, old.assertion(client.client_id, site.issuer)).status_code == 200
    assert ask(site, old.assertion(client.client_id, site.issuer)).status_code == 200
    assert len(receiver.at("/jwks")) == 1
    assert ask(site, new.assertion(client.client_id, site.issuer)).status_code == 200
    assert len(receiver.at("/jwks")) == 2
    # A minute has to pass before an unknown kid may ask again; until then it is refused.
    other = KeyHolder(kid="other")
    assert outcome(ask(site, other.assertion(client.client_id, site.issuer))) == (401, "invalid_client")
    assert len(receiver.at("/jwks")) == 2


def test_keys_that_cannot_be_had(site: Site, receiver: Receiver) -> None:
    key = KeyHolder()
    client, _ = holder_of(site, jwks=None, jwks_uri=receiver.answer("/gone", Reply(500)))
    assert outcome(ask(site, key.assertion(client.client_id, site.issuer))) == (401, "invalid_client")


def test_replaced_keys_count_from_the_next_call(site: Site) -> None:
    client, key = holder_of(site)
    assert ask(site, key.assertion(client.client_id, site.issuer)).status_code == 200
    other = KeyHolder()
    site.update(client, jwks=other.jwks)
    assert outcome(ask(site, key.assertion(client.client_id, site.issuer))) == (401, "invalid_client")
    assert ask(site, other.assertion(client.client_id, site.issuer)).status_code == 200


def _with_issuer(settings: Any, issuer: str) -> Any:
    from dataclasses import replace

    return replace(settings, issuer=issuer)
