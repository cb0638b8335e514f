"""Somebody else's key set: which of its keys may verify what."""

import json
from typing import Any

import pytest

from identity.domain.keys import SIGNING_ALGORITHMS
from identity.tokens.jose import InvalidToken, PublicKeys, UnknownKid, jwks_problem
from tests.attacks.forging import compact, decode, encode, jwks, private_jwk, public_jwk, signer
from tests.tokens.made_keys import attacker_key, client_key

ALL = frozenset(SIGNING_ALGORITHMS)
TYP: frozenset[str | None] = frozenset({"JWT"})
CLAIMS = {"iss": "joe"}
EC, OTHER_EC, RSA = client_key("P-256"), attacker_key("P-256"), client_key("RSA")


def signed(key: Any, algorithm: str = "ES256", **header: Any) -> str:
    return compact({"alg": algorithm, "typ": "JWT"} | header, CLAIMS, signer(algorithm, key))


def believes(keys: PublicKeys, token: str, algorithms: frozenset[str] = ALL) -> bool:
    try:
        return keys.verify(token, algorithms, TYP)[1] == CLAIMS
    except InvalidToken:
        return False


def test_header_and_claims_of_what_a_key_signed() -> None:
    header, claims = PublicKeys(jwks(public_jwk(EC, kid="one"))).verify(signed(EC, kid="one", cty="x"), ALL, TYP)
    assert (header["kid"], header["cty"], claims) == ("one", "x", CLAIMS)


def test_the_caller_says_which_algorithms() -> None:
    keys = PublicKeys(jwks(public_jwk(RSA)))
    token = signed(RSA, "RS256")
    assert believes(keys, token, frozenset({"RS256", "PS256"}))
    assert not believes(keys, token, frozenset({"PS256"}))
    assert not believes(keys, token, frozenset())


@pytest.mark.spec("RFC 7517", "4.2")
@pytest.mark.parametrize(
    ("restriction", "good"),
    [
        ({}, True), ({"use": "sig"}, True), ({"use": "enc"}, False), ({"use": "other"}, False), ({"use": ""}, False),
        ({"key_ops": ["verify"]}, True), ({"key_ops": ["sign", "verify"]}, True), ({"key_ops": ["sign"]}, False),
        ({"key_ops": []}, False), ({"key_ops": ["encrypt"]}, False), ({"key_ops": "verify"}, False),
        ({"key_ops": [1]}, False), ({"alg": "ES256"}, True), ({"alg": "ES384"}, False), ({"alg": "none"}, False),
        ({"alg": 1}, False), ({"use": 1}, False), ({"kid": 1}, False),
    ],
)  # fmt: skip
def test_a_key_does_only_what_its_owner_allows(restriction: dict[str, Any], good: bool) -> None:
    assert believes(PublicKeys(jwks(public_jwk(EC, **restriction))), signed(EC)) is good


class TestChoice:
    """Which key of a set: OpenID Connect Core §10.1."""

    def test_the_kid_chooses(self) -> None:
        keys = PublicKeys(jwks(public_jwk(EC, kid="one"), public_jwk(OTHER_EC, kid="two")))
        assert believes(keys, signed(EC, kid="one"))
        assert believes(keys, signed(OTHER_EC, kid="two"))
        assert not believes(keys, signed(EC, kid="two"))

    def test_without_kid_only_one_key_may_come_into_question(self) -> None:
        assert believes(PublicKeys(jwks(public_jwk(EC), public_jwk(RSA))), signed(EC))
        assert not believes(PublicKeys(jwks(public_jwk(EC), public_jwk(OTHER_EC))), signed(EC))
        assert not believes(PublicKeys(jwks()), signed(EC))

    def test_one_kid_for_keys_of_two_kinds(self) -> None:
        """RFC 7517 §4.5 allows it: the algorithm tells them apart."""
        keys = PublicKeys(jwks(public_jwk(EC, kid="one"), public_jwk(RSA, kid="one")))
        assert believes(keys, signed(EC, kid="one"))
        assert believes(keys, signed(RSA, "PS256", kid="one"))

    def test_an_unknown_kid_is_told_apart_so_that_the_set_can_be_fetched_again(self) -> None:
        keys = PublicKeys(jwks(public_jwk(EC, kid="one"), public_jwk(RSA)))
        for kid in ("two", "", "ONE"):
            with pytest.raises(UnknownKid):
                keys.verify(signed(EC, kid=kid), ALL, TYP)
        with pytest.raises(InvalidToken) as refusal:
            keys.verify(signed(OTHER_EC, kid="one"), ALL, TYP)
        assert not isinstance(refusal.value, UnknownKid)
        bad: tuple[Any, ...] = (1, [], {}, True, None)
        for wrong in bad:
            assert not believes(keys, signed(EC, kid=wrong))


@pytest.mark.spec("RFC 7517", "5")
def test_keys_of_other_kinds_are_passed_over() -> None:
    others: list[Any] = [
        {"kty": "AKP", "pub": "AAAA"}, {"kty": "OKP", "crv": "Ed448", "x": encode(bytes(57))}, {"kid": "no kty"},
        {"kty": "OKP", "crv": "X25519", "x": encode(bytes(32))}, {"kty": ["EC"]}, "text", None, 1, [],
        public_jwk(EC) | {"crv": "secp256k1"}, public_jwk(EC) | {"y": encode(bytes(32))},
        public_jwk(EC) | {"x": encode(bytes(31))}, {"kty": "RSA", "n": "AQAB"}, {"kty": "EC", "crv": "P-256"},
    ]  # fmt: skip
    keys = PublicKeys(jwks(*others, public_jwk(EC, kid="one")))
    assert [key.kid for key in keys.keys] == ["one"]
    assert believes(keys, signed(EC, kid="one"))
    for other in others:
        assert jwks_problem(json.dumps(jwks(other))) is not None, other


@pytest.mark.parametrize("kind", ["RSA", "P-256", "P-384", "P-521", "Ed25519", "oct"])
def test_a_private_or_symmetric_key_spoils_the_set(kind: str) -> None:
    bad = jwks(public_jwk(EC), private_jwk(client_key(kind)))
    with pytest.raises(InvalidToken):
        PublicKeys(bad)
    assert "private or symmetric" in (jwks_problem(json.dumps(bad)) or "")


@pytest.mark.parametrize("jwks_", [{}, {"keys": None}, {"keys": {}}, {"keys": "x"}, {"key": []}])
def test_what_is_no_set_is_refused(jwks_: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        PublicKeys(jwks_)
    assert jwks_problem(json.dumps(jwks_)) is not None


@pytest.mark.spec("RFC 7518", "6.3.1.1")
def test_a_key_has_one_spelling() -> None:
    """Otherwise one key would have several thumbprints."""
    n = public_jwk(RSA)["n"]
    for changed in (
        {"n": encode(b"\0" + decode(n))}, {"n": n + "="}, {"n": n + "\n"}, {"n": n.replace(n[5], "é", 1)},
        {"e": "AAEAAQ"}, {"e": encode(b"\0")}, {"e": "Ag"}, {"e": "AQ"}, {"e": 65537}, {"n": ""}, {"n": None},
    ):  # fmt: skip
        assert PublicKeys(jwks(public_jwk(RSA) | changed)).keys == [], changed


@pytest.mark.parametrize("kind", ["RSA", "P-256", "P-384", "P-521", "Ed25519"])
def test_what_may_be_registered(kind: str) -> None:
    good = public_jwk(client_key(kind), kid="one", use="sig", x5t="AAAA", unknown=1)
    assert jwks_problem(json.dumps(jwks(good))) is None
    assert jwks_problem(json.dumps(jwks())) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"keys":[],"keys":[]}', '{"keys":[{"kty":"EC","kty":"RSA"}]}', "null"]
)
def test_what_is_not_read_in_one_way_may_not_be_registered(text: str) -> None:
    assert jwks_problem(text) is not None


def test_a_problem_names_the_key() -> None:
    small = {"kty": "RSA", "n": encode(b"\xff" * 128), "e": "AQAB"}
    assert jwks_problem(json.dumps(jwks(public_jwk(EC), small))) == "key 2: RSA of 1024 bits; 2048 to 8192 are allowed"
