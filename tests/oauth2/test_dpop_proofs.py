"""What makes a DPoP proof (RFC 9449 §4.3), which is good once, and nonces (§8, §9)."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.oauth2.dpop_client import (
    GRANT,
    ask,
    bound_tokens,
    outcome,
    seconds,
    token_uri,
    userinfo,
    userinfo_uri,
)
from tests.support.builders import Pkce, Site
from tests.support.in_process import TimedSite
from tests.support.key_holder import KeyHolder, new_jti

# RFC 9449 §4.3: what makes a proof.


def wrong_proofs(site: Site, key: KeyHolder, method: str, uri: str, token: str | None) -> Iterator[tuple[str, Any]]:
    def proof(**changes: Any) -> str:
        return key.proof(changes.pop("htm", method), changes.pop("htu", uri), access_token=token, **changes)

    def with_header(**header: Any) -> str:
        return key.proof(method, uri, access_token=token, header=header)

    yield "empty", ""
    yield "not a JWT", "proof"
    yield "two in one header", f"{proof()}, {proof()}"
    genuine = proof()
    head, body, signature = genuine.split(".")
    yield "signature changed", f"{head}.{body}.{signature[:-8]}{'A' * 8}"
    yield "signature cut off", f"{head}.{body}."
    yield "of another key", f"{head}.{body}.{KeyHolder().proof(method, uri).rpartition('.')[2]}"
    yield "key exchanged", with_header(jwk=KeyHolder().jwk)
    for typ in (None, "JWT", "at+jwt", "", "dpop"):
        yield f"typ {typ}", with_header(typ=typ)
    for alg in ("none", "HS256", "RS256", "ES384", "ES256K", "", 7):
        yield f"alg {alg}", with_header(alg=alg)
    yield "no key", with_header(jwk=None)
    yield "private key", with_header(jwk=key.key.as_dict(private=True))
    yield "symmetric key", with_header(jwk={"kty": "oct", "k": "c2VjcmV0"})
    yield "key by address", with_header(jku="https://keys.example/jwks")
    yield "crit", with_header(crit=["exp"], exp=1)
    for name in ("jti", "htm", "htu", "iat"):
        yield f"no {name}", proof(**{name: None})
    for jti in ("", 7, ["a"], "j" * 513):
        yield f"jti {str(jti)[:10]}", proof(jti=jti)
    for htm in ("PUT", method.lower(), f"{method} ", 7):
        yield f"htm {htm}", proof(htm=htm)
    for htu in ("", 7, uri + "/", uri + "x", uri.replace("http", "https"), "https://other.example/oauth2/token",
                uri.replace("//", "//user@"), "/oauth2/token", uri + "%00", uri.replace(site.handle, "root"),
                uri.upper()):  # fmt: skip
        yield f"htu {htu}", proof(htu=htu)
    for iat in ("now", True, -1, 0, 2**60):
        yield f"iat {iat}", proof(iat=iat)


@pytest.mark.spec("RFC 9449", "4.3")
def test_wrong_proofs_at_the_token_endpoint(site: Site) -> None:
    client, key = site.machine(), KeyHolder()
    for name, proof in wrong_proofs(site, key, "POST", token_uri(site), None):
        response = ask(site, client, proof)
        assert outcome(response) == (400, "invalid_dpop_proof"), name
    assert ask(site, client, key.proof("POST", token_uri(site))).status_code == 200


@pytest.mark.spec("RFC 9449", "7.1")
def test_wrong_proofs_at_a_resource(site: Site) -> None:
    key = KeyHolder()
    token = bound_tokens(site, site.application(), key)["access_token"]
    cases = [*wrong_proofs(site, key, "GET", userinfo_uri(site), token)]
    cases += [(f"ath {ath}", key.proof("GET", userinfo_uri(site), ath=ath)) for ath in (None, "", 7, "x" * 43)]
    for name, proof in cases:
        response = site.http.get("/oauth2/userinfo", headers={"Authorization": f"DPoP {token}", "DPoP": proof})
        assert outcome(response) == (401, "invalid_dpop_proof"), name
        challenge = response.headers["www-authenticate"]
        assert challenge.startswith('DPoP realm="identity", error="invalid_dpop_proof", algs="ES256 '), name
    assert userinfo(site, key, token).status_code == 200


@pytest.mark.parametrize("door", ["token", "userinfo"])
def test_a_repeated_header(site: Site, door: str) -> None:
    """Decision 24."""
    client, key = site.application(), KeyHolder()
    token = bound_tokens(site, client, key)["access_token"]
    if door == "token":
        proofs = [("DPoP", key.proof("POST", token_uri(site))) for _ in range(2)]
        response = site.http.post("/oauth2/token", data=GRANT, auth=client.basic, headers=proofs)
        # Client credentials are not this application's grant: the code is asked for first.
        assert response.status_code == 400
    else:
        proofs = [("DPoP", key.proof("GET", userinfo_uri(site), access_token=token)) for _ in range(2)]
        response = site.http.get("/oauth2/userinfo", headers=[("Authorization", f"DPoP {token}"), *proofs])
        assert outcome(response) == (401, "invalid_dpop_proof")


@pytest.mark.spec("RFC 9449", "4.3")
@pytest.mark.parametrize(("offset", "status"), [(0, 200), (-60, 200), (-71, 400), (8, 200), (61, 400)], ids=str)
def test_proofs_are_young(timed: TimedSite, offset: int, status: int) -> None:
    client, key = timed.machine(), KeyHolder()
    proof = key.proof("POST", token_uri(timed), now=seconds(timed.clock) + offset)
    assert ask(timed, client, proof).status_code == status


@pytest.mark.spec("RFC 3986", "6.2.2")
@pytest.mark.spec("RFC 3986", "6.2.3")
@pytest.mark.parametrize(
    "change",
    [
        lambda uri: uri + "?query=is#left-out",
        lambda uri: uri.replace("http://localhost", "HTTP://LocalHost"),
        lambda uri: uri.replace("/oauth2/", "/%6F%61uth2/"),
        lambda uri: uri.replace("/oauth2/", "/x/../oauth2/./"),
    ],
)
def test_the_uri_is_compared_normalised(site: Site, change: Any) -> None:
    client, key = site.machine(), KeyHolder()
    assert ask(site, client, key.proof("POST", change(token_uri(site)))).status_code == 200


@pytest.mark.spec("RFC 9449", "11.1")
def test_a_proof_is_good_once(site: Site) -> None:
    client, key = site.application(), KeyHolder()
    token = bound_tokens(site, client, key)["access_token"]
    jti = new_jti()
    assert userinfo(site, key, token, jti=jti).status_code == 200
    assert outcome(userinfo(site, key, token, jti=jti)) == (401, "invalid_dpop_proof")
    machine = site.machine()
    proof = key.proof("POST", token_uri(site))
    assert ask(site, machine, proof).status_code == 200
    assert outcome(ask(site, machine, proof)) == (400, "invalid_dpop_proof")


def test_of_many_at_once_one_is_first(site: Site) -> None:
    """Attack row 14."""
    client, key = site.machine(), KeyHolder()
    proof = key.proof("POST", token_uri(site))
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: ask(site, client, proof).status_code, range(40)))
    assert sorted(statuses) == [200] + [400] * 39


def test_a_change_of_the_application_does_not_spend_the_proof(site: Site) -> None:
    """Decision 35: the request is answered once more with what is stored now, and its proof counts again."""
    client, key = site.machine(), KeyHolder()
    assert ask(site, client, key.proof("POST", token_uri(site))).status_code == 200
    for kind in ("jwt", "opaque"):
        site.update(client, access_token_type=kind)
        assert ask(site, client, key.proof("POST", token_uri(site))).status_code == 200


@pytest.mark.spec("RFC 9449", "4.2")
def test_the_example_of_the_rfc_has_a_good_signature_and_is_too_old(site: Site) -> None:
    """RFC 9449 §5: its key, its signature and its thumbprint (§6.1) are those that we compute; only its time is over,
    and its address not ours."""
    from identity.tokens.jose import verify_with_embedded_jwk

    thumbprint, claims = verify_with_embedded_jwk(RFC_9449_PROOF, frozenset({"ES256"}), "dpop+jwt")
    assert thumbprint == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
    assert (claims["htm"], claims["htu"]) == ("POST", "https://server.example.com/token")
    assert outcome(ask(site, site.machine(), RFC_9449_PROOF)) == (400, "invalid_dpop_proof")


RFC_9449_PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
    "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19."
    "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0"
    "IjoxNTYyMjYyNjE2fQ."
    "2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)


def test_the_header_is_bounded(site: Site) -> None:
    """Attack row 8: what would cost work is refused before it."""
    key = KeyHolder()
    huge = key.jwk | {"x": base64.urlsafe_b64encode(b"x" * 3000).decode()}
    proof = key.proof("POST", token_uri(site), header={"jwk": huge})
    assert outcome(ask(site, site.machine(), proof)) == (400, "invalid_dpop_proof")
    big = KeyHolder("RS256").jwk
    big["n"] = base64.urlsafe_b64encode(b"\xff" * 2049).rstrip(b"=").decode()
    proof = key.proof("POST", token_uri(site), header={"jwk": big, "alg": "RS256"})
    assert outcome(ask(site, site.machine(), proof)) == (400, "invalid_dpop_proof")


# Nonces


@pytest.fixture
def with_nonces(timed: TimedSite) -> TimedSite:
    timed.change_settings(lambda s: replace(s, dpop_nonce_required=True))
    return timed


@pytest.mark.spec("RFC 9449", "8")
def test_a_nonce_may_be_required(with_nonces: TimedSite) -> None:
    site, client, key = with_nonces, with_nonces.machine(), KeyHolder()
    now = seconds(site.clock)
    refused = ask(site, client, key.proof("POST", token_uri(site), now=now))
    assert outcome(refused) == (400, "use_dpop_nonce")
    nonce = refused.headers["dpop-nonce"]
    granted = ask(site, client, key.proof("POST", token_uri(site), now=now, nonce=nonce))
    assert granted.status_code == 200
    # RFC 9449 §8.2: also with success, so that the client is never without one.
    assert granted.headers["dpop-nonce"] == nonce
    assert ask(site, client, None).headers["dpop-nonce"] == nonce


@pytest.mark.spec("RFC 9449", "9")
def test_at_resources_too(with_nonces: TimedSite) -> None:
    site, client, key = with_nonces, with_nonces.application(), KeyHolder()
    pkce = Pkce()
    code = site.code(client, site.jane, **pkce.parameters)
    nonce = site.http.get("/oauth2/userinfo").headers["dpop-nonce"]
    now = seconds(site.clock)
    form = {"code": code, "redirect_uri": client.redirect_uri, "code_verifier": pkce.verifier}
    proof = key.proof("POST", token_uri(site), now=now, nonce=nonce)
    token = ask(site, client, proof, grant_type="authorization_code", **form).json()["access_token"]
    refused = userinfo(site, key, token, now=now)
    assert outcome(refused) == (401, "use_dpop_nonce")
    assert refused.headers["www-authenticate"].startswith('DPoP realm="identity", error="use_dpop_nonce"')
    assert userinfo(site, key, token, now=now, nonce=refused.headers["dpop-nonce"]).status_code == 200


def test_a_nonce_lives_two_windows(with_nonces: TimedSite) -> None:
    site, client, key = with_nonces, with_nonces.machine(), KeyHolder()
    site.clock.advance(300 - seconds(site.clock) % 300)
    nonce = ask(site, client, None).headers["dpop-nonce"]

    def status() -> tuple[int, str]:
        return outcome(ask(site, client, key.proof("POST", token_uri(site), now=seconds(site.clock), nonce=nonce)))

    site.clock.advance(599)
    assert status() == (200, "")
    site.clock.advance(1)
    assert status() == (400, "use_dpop_nonce")


def test_nonces_of_others(with_nonces: TimedSite, in_process_server: Any) -> None:
    site, client, key = with_nonces, with_nonces.machine(), KeyHolder()
    foreign = TimedSite(in_process_server)
    foreign.change_settings(lambda s: replace(s, dpop_nonce_required=True))
    elsewhere = foreign.http.get("/oauth2/userinfo").headers["dpop-nonce"]
    foreign.close()
    for nonce in (elsewhere, "", "x", "é", 7, None):
        proof = key.proof("POST", token_uri(site), now=seconds(site.clock), nonce=nonce)
        assert outcome(ask(site, client, proof)) == (400, "use_dpop_nonce")


def test_no_nonce_where_none_is_required(site: Site) -> None:
    assert "dpop-nonce" not in ask(site, site.machine(), None).headers
    assert "dpop-nonce" not in site.http.get("/oauth2/userinfo").headers
