"""Attack row 4: a message that brings, or points to, the key it is to be checked with. Nothing is fetched."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from identity.domain.keys import SIGNING_ALGORITHMS
from identity.tokens.encryption import DecryptionKeys, decrypt
from identity.tokens.jose import (
    InvalidToken,
    PublicKeys,
    VerificationKeys,
    kid_of,
    peek,
    verify_mac,
    verify_with_embedded_jwk,
)
from tests.attacks.forging import (
    compact,
    encode,
    encrypted,
    hmac_signer,
    jwks,
    new_key,
    private_jwk,
    public_jwk,
    signer,
)
from tests.tokens.made_keys import SEALER, attacker_key, client_key, own_key, private_of

ALL = frozenset(SIGNING_ALGORITHMS)
TYP: frozenset[str | None] = frozenset({"JWT"})
CLAIMS = {"iss": "joe"}
SECRET = b"s" * 64
BOX = own_key("RSA-OAEP-256")
ATTACKER = attacker_key("P-256")

HEADERS: dict[str, Any] = {
    "jwk": public_jwk(ATTACKER),
    "jku": "https://attacker.example/jwks",
    "x5u": "https://attacker.example/certificate",
    "x5c": ["MIIB"],
    "b64": False,
    "zip": "DEF",
    "crit": ["exp"],
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        pytest.fail("an outbound request")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def doors() -> dict[str, tuple[Callable[[str], Any], dict[str, Any], Any, str]]:
    """Each function with a header, a key and an algorithm that it believes."""
    own = own_key("ES256")
    client = client_key("P-256")
    own_keys, client_keys = VerificationKeys([own]), PublicKeys(jwks(public_jwk(client, kid="one")))
    return {
        "own": (
            lambda token: own_keys.verify(token, frozenset({"JWT"})),
            {"kid": own.kid}, private_of(own), "ES256",
        ),
        "client": (lambda token: client_keys.verify(token, ALL, TYP), {"kid": "one"}, client, "ES256"),
        "secret": (lambda token: verify_mac(token, SECRET, frozenset({"HS256"}), TYP), {}, SECRET, "HS256"),
        "peek": (peek, {}, client, "ES256"),
        "kid": (kid_of, {}, client, "ES256"),
    }  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("door", doors())
def test_a_header_with_a_key_is_refused_whoever_signed(door: str, name: str) -> None:
    verify, header, key, algorithm = doors()[door]
    genuine = {"alg": algorithm, "typ": "JWT"} | header
    verify(compact(genuine, CLAIMS, signer(algorithm, key)))
    for forger in (key, ATTACKER):
        with pytest.raises(InvalidToken):
            verify(compact(genuine | {name: HEADERS[name]}, CLAIMS, signer(algorithm, forger)))


@pytest.mark.parametrize("name", HEADERS)
def test_what_is_encrypted_to_us_brings_no_key_either(name: str) -> None:
    boxes = DecryptionKeys([BOX], SEALER)
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": BOX.kid}
    public = private_of(BOX).public_key()
    allowed = frozenset({"RSA-OAEP-256"}), frozenset({"A256GCM"})
    assert decrypt(encrypted(header, b"plain", public), boxes, *allowed) == b"plain"
    with pytest.raises(InvalidToken):
        decrypt(encrypted(header | {name: HEADERS[name]}, b"plain", public), boxes, *allowed)


@pytest.mark.parametrize(
    "kid", ["../../../dev/null", "https://attacker.example/jwks", "' or 1=1 --", "\x00", "one ", "ONE", "", "one\n"]
)
def test_a_kid_is_only_compared(kid: str) -> None:
    keys = PublicKeys(jwks(public_jwk(client_key("P-256"), kid="one")))
    for key in (client_key("P-256"), ATTACKER):
        token = compact({"alg": "ES256", "typ": "JWT", "kid": kid}, CLAIMS, signer("ES256", key))
        with pytest.raises(InvalidToken):
            keys.verify(token, ALL, TYP)


class TestTheKeyOfAProof:
    """The one place where the key comes in the header (RFC 9449 §4.2): public, of our kinds, and nothing beside it."""

    def proof(self, jwk: Any, algorithm: str = "ES256", key: Any = ATTACKER, **header: Any) -> str:
        head = {"alg": algorithm, "typ": "dpop+jwt", "jwk": jwk} | header
        return compact(head, CLAIMS, signer(algorithm, key))

    def refused(self, token: str) -> bool:
        try:
            verify_with_embedded_jwk(token, ALL, "dpop+jwt")
        except InvalidToken:
            return True
        return False

    @pytest.mark.spec("RFC 9449", "4.3")
    @pytest.mark.parametrize("algorithm", SIGNING_ALGORITHMS)
    def test_a_public_key_is_believed_for_what_it_signed(self, algorithm: str) -> None:
        key = new_key(algorithm)
        jwk = public_jwk(key)
        thumbprint, claims = verify_with_embedded_jwk(self.proof(jwk, algorithm, key), ALL, "dpop+jwt")
        assert claims == CLAIMS
        # Whatever else the owner writes into the JWK, the thumbprint is of the key alone (RFC 7638 §3.2).
        decorated = self.proof(jwk | {"kid": "x", "use": "sig", "x5t": "AAAA"}, algorithm, key)
        assert verify_with_embedded_jwk(decorated, ALL, "dpop+jwt")[0] == thumbprint

    @pytest.mark.spec("RFC 9449", "4.3")
    def test_a_private_key_is_refused(self) -> None:
        for kind, algorithm in (("RSA", "RS256"), ("P-256", "ES256"), ("Ed25519", "EdDSA")):
            key = attacker_key(kind)
            assert self.refused(self.proof(private_jwk(key), algorithm, key))
            for member in ("d", "p", "q", "dp", "dq", "qi", "oth", "k"):
                assert self.refused(self.proof(public_jwk(key) | {member: "AA"}, algorithm, key)), (kind, member)

    def test_a_secret_is_refused(self) -> None:
        secret = b"attacker" * 8
        jwk = {"kty": "oct", "k": encode(secret)}
        for algorithm in ("HS256", "HS384", "HS512"):
            token = compact({"alg": algorithm, "typ": "dpop+jwt", "jwk": jwk}, CLAIMS, hmac_signer(secret, algorithm))
            assert self.refused(token)
        assert self.refused(self.proof(jwk))

    def test_anything_but_a_key_is_refused(self) -> None:
        good = public_jwk(ATTACKER)
        for jwk in (
            None, [], {}, "", 1, [good], {"keys": [good]}, good | {"kty": "RSA"}, good | {"crv": "P-384"},
            good | {"crv": "secp256k1"}, good | {"x": good["y"]}, good | {"x": 1}, good | {"x": good["x"] + "="},
            good | {"x": "A" + good["x"]}, good | {"use": "enc"}, good | {"key_ops": ["sign"]}, good | {"alg": "ES384"},
            {"kty": "OKP", "crv": "X25519", "x": encode(bytes(32))},
            {"kty": "OKP", "crv": "Ed448", "x": encode(bytes(57))},
        ):  # fmt: skip
            assert self.refused(self.proof(jwk)), jwk
        assert not self.refused(self.proof(good))

    @pytest.mark.parametrize("name", [name for name in HEADERS if name != "jwk"])
    def test_nothing_else_comes_with_it(self, name: str) -> None:
        assert self.refused(self.proof(public_jwk(ATTACKER), **{name: HEADERS[name]}))

    def test_without_it_there_is_no_proof(self) -> None:
        key = client_key("P-256")
        assert self.refused(compact({"alg": "ES256", "typ": "dpop+jwt"}, CLAIMS, signer("ES256", key)))

    @pytest.mark.parametrize("typ", ["JWT", "at+jwt", "dpop", "", None, 1, ["dpop+jwt"]])
    def test_another_type_is_no_proof(self, typ: Any) -> None:
        assert self.refused(self.proof(public_jwk(ATTACKER), typ=typ))

    def test_a_key_that_was_seen_before_signs_for_nobody_else(self) -> None:
        """The key of a header is read once and remembered: the signature is checked each time."""
        good = self.proof(public_jwk(ATTACKER))
        assert not self.refused(good)
        assert self.refused(self.proof(public_jwk(ATTACKER), key=client_key("P-256")))
        assert self.refused(good.rpartition(".")[0] + "." + encode(bytes(64)))
