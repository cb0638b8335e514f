"""A tenant's own keys, of every algorithm: they sign, verify, are published, and stay apart."""

import base64
import hashlib
import json
from dataclasses import replace

import pytest

from identity.domain.keys import KEY_ALGORITHMS, SIGNING_ALGORITHMS, KeyAlgorithm
from identity.errors import ConfigurationError
from identity.tokens.id_token import left_half_hash
from identity.tokens.jose import (
    InvalidToken,
    PublicKeys,
    SigningJwk,
    VerificationKeys,
    key_context,
    make_key,
    public_jwks,
    read_header,
)
from tests.attacks.forging import compact, signer
from tests.tokens.made_keys import SEALER, own_key, private_of

CLAIMS = {"iss": "us", "sub": "joe"}
TYP = frozenset({"JWT"})


@pytest.mark.spec("RFC 7518", "3.1")
@pytest.mark.parametrize("algorithm", SIGNING_ALGORITHMS)
def test_a_key_signs_and_verifies_by_its_algorithm(algorithm: KeyAlgorithm) -> None:
    key = own_key(algorithm)
    token = SigningJwk(key, SEALER).sign(CLAIMS, "JWT")
    assert read_header(token) == {"typ": "JWT", "alg": algorithm, "kid": key.kid}
    assert VerificationKeys([key]).verify(token, TYP) == CLAIMS
    # So it does for whoever knows only what is published.
    published = PublicKeys(json.loads(public_jwks([key])))
    assert published.verify(token, frozenset({algorithm}), frozenset({"JWT"}))[1] == CLAIMS


@pytest.mark.parametrize("algorithm", SIGNING_ALGORITHMS)
def test_a_header_of_ours_has_what_we_write_and_no_more(algorithm: KeyAlgorithm) -> None:
    key = own_key(algorithm)
    keys, sign = VerificationKeys([key]), signer(algorithm, private_of(key))
    header = {"typ": "JWT", "alg": algorithm, "kid": key.kid}
    assert keys.verify(compact(header, CLAIMS, sign), TYP) == CLAIMS
    for changed in (
        header | {"cty": "JWT"}, header | {"x": 1}, header | {"typ": "jwt"}, header | {"typ": "application/JWT"},
        header | {"typ": ["JWT"]}, header | {"kid": "other"}, {"alg": algorithm, "kid": key.kid},
        {"typ": "JWT", "alg": algorithm}, {"typ": "JWT", "kid": key.kid},
    ):  # fmt: skip
        with pytest.raises(InvalidToken):
            keys.verify(compact(changed, CLAIMS, sign), TYP)


@pytest.mark.parametrize("algorithm", KEY_ALGORITHMS)
def test_what_is_published_is_public_and_says_what_for(algorithm: KeyAlgorithm) -> None:
    key = own_key(algorithm)
    [jwk] = json.loads(public_jwks([key]))["keys"]
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & jwk.keys()
    assert (jwk["kid"], jwk["use"]) == (key.kid, key.use)
    # RFC 7517 §4.4: the key for ECDH-ES serves three algorithms.
    assert jwk.get("alg") == (None if algorithm == "ECDH-ES" else algorithm)
    private = json.loads(SEALER.open(key.private_jwk, key_context(key.kid)))
    assert {name: value for name, value in private.items() if name in jwk} == jwk
    assert "d" in private


def test_a_retired_signing_key_stays_published_and_an_encryption_key_does_not() -> None:
    keys = [replace(own_key(algorithm), retired_at=1) for algorithm in KEY_ALGORITHMS]
    published = [jwk["kid"] for jwk in json.loads(public_jwks(keys))["keys"]]
    assert published == [key.kid for key in keys if key.use == "sig"]


def test_an_encryption_key_verifies_nothing() -> None:
    key = own_key("RSA-OAEP-256")
    keys = VerificationKeys([key, own_key("RS256")])
    published = PublicKeys(json.loads(public_jwks([key])))
    for alg in ("RS256", "RSA-OAEP-256"):
        header = {"typ": "JWT", "alg": alg, "kid": key.kid}
        token = compact(header, CLAIMS, signer("RS256", private_of(key)))
        with pytest.raises(InvalidToken):
            keys.verify(token, TYP)
        with pytest.raises(InvalidToken):
            published.verify(token, frozenset({*SIGNING_ALGORITHMS, alg}), frozenset({"JWT"}))


def test_a_sealed_key_opens_under_its_own_kid_only() -> None:
    key = make_key("ES256", kid="one", sealer=SEALER, now=0, active_at=0)
    with pytest.raises(ConfigurationError):
        SigningJwk(replace(key, kid="two"), SEALER)


@pytest.mark.spec("OpenID Connect Core", "3.1.3.6")
@pytest.mark.parametrize(
    ("algorithms", "length"),
    [(("RS256", "PS256", "ES256"), 16), (("RS384", "PS384", "ES384"), 24), (("RS512", "PS512", "ES512", "EdDSA"), 32)],
)
def test_a_half_hash_is_of_the_hash_of_the_algorithm(algorithms: tuple[str, ...], length: int) -> None:
    expected = hashlib.new(f"sha{length * 16}", b"token").digest()[:length]
    for algorithm in algorithms:
        value = left_half_hash("token", algorithm)
        assert base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)) == expected
    with pytest.raises(KeyError):
        left_half_hash("token", "none")


@pytest.mark.spec("OpenID Connect Core", "A.4")
def test_the_published_half_hashes() -> None:
    """The `at_hash` and `c_hash` of the examples of OpenID Connect Core, appendix A."""
    assert left_half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "RS256") == "77QmUPtjPfzWtF2AnpK9RQ"
    code = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"
    assert left_half_hash(code, "RS256") == "LDktKdoQak3Pk0cnXxCltA"
