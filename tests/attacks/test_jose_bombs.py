"""Attack row 9: messages that ask for work. Each is refused before the work begins, whoever wrote it."""

import json
import tracemalloc
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from identity.tokens import algorithms, encryption, public_keys
from identity.tokens.encryption import DecryptionKeys, decrypt
from identity.tokens.jose import (
    InvalidToken,
    PublicKeys,
    VerificationKeys,
    jwks_problem,
    kid_of,
    peek,
    verify_mac,
    verify_with_embedded_jwk,
)
from tests.attacks.forging import compact, encode, encrypted, jwks, public_jwk, signer
from tests.tokens.made_keys import SEALER, attacker_key, client_key, own_key, private_of

pytestmark = pytest.mark.long

CLAIMS = {"iss": "joe"}
TYP: frozenset[str | None] = frozenset({None, "JWT"})
SIGNING = frozenset(algorithms.SIGNATURES)
MANAGEMENT = frozenset({"RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"})
CONTENT = frozenset({"A128GCM", "A256GCM"})
BOX = own_key("RSA-OAEP-256")

Door = Callable[[str], Any]


@cache
def doors() -> dict[str, Door]:
    """Every function that takes a JWT from outside."""
    own = VerificationKeys([own_key("ES256")])
    client = PublicKeys(jwks(public_jwk(client_key("RSA"), kid="rsa")))
    boxes = DecryptionKeys([BOX, own_key("ECDH-ES")], SEALER)
    return {
        "own": lambda token: own.verify(token, frozenset({"JWT"})),
        "client": lambda token: client.verify(token, SIGNING, TYP),
        "secret": lambda token: verify_mac(token, b"s" * 64, frozenset({"HS256"}), TYP),
        "proof": lambda token: verify_with_embedded_jwk(token, SIGNING, "dpop+jwt"),
        "peek": peek,
        "kid": kid_of,
        "decrypt": lambda token: decrypt(token, boxes, MANAGEMENT, CONTENT),
    }


@pytest.fixture(params=doors())
def door(request: pytest.FixtureRequest) -> Door:
    return doors()[request.param]


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on every costly step fails the test: keys imported, signatures, decryption, derivation, inflation."""

    def work(*_: Any, **__: Any) -> Any:
        pytest.fail("the work began")

    for place, name in (
        (algorithms, "import_key"), (public_keys, "import_key"), (encryption, "decrypt_compact"),
        (zlib, "decompressobj"), (zlib, "decompress"),
    ):  # fmt: skip
        monkeypatch.setattr(place, name, work)
    monkeypatch.setattr("joserfc._rfc7518.jwe_algs.PBKDF2HMAC", work)
    monkeypatch.setattr("identity.tokens.compact.CompactJws.is_signed_by", work)


def jwe(header: dict[str, Any], ciphertext: bytes = b"c", *, key: bytes = b"k" * 256) -> str:
    return ".".join(encode(part) for part in (json.dumps(header).encode(), key, bytes(12), ciphertext, bytes(16)))


@cache
def asks_for_work() -> dict[str, str]:
    """Header bombs, as a JWE and as a JWS."""
    zipped = zlib.compressobj(wbits=-15)
    bomb = zipped.compress(bytes(1 << 20)) + zipped.flush()
    oaep = {"alg": "RSA-OAEP-256", "enc": "A128GCM", "kid": BOX.kid}
    box = private_of(BOX).public_key()
    pbes = {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2s": "AAAAAAAAAAA"}
    return {
        "p2c of 2^31": jwe(pbes | {"p2c": 2**31}),
        "p2c of 1": jwe(pbes | {"p2c": 1}),
        "p2c beside another alg": encrypted(oaep | {"p2c": 2**31, "p2s": "AAAA"}, b"{}", box),
        "zip, really encrypted to us": encrypted(oaep | {"zip": "DEF"}, bomb, box),
        "zip of another kind": encrypted(oaep | {"zip": "x"}, b"{}", box),
        "recipients in the header": encrypted(oaep | {"recipients": [{}] * 100}, b"{}", box),
        "dir": jwe({"alg": "dir", "enc": "A128GCM"}, key=b""),
        "RSA1_5": jwe({"alg": "RSA1_5", "enc": "A128GCM", "kid": BOX.kid}),
        "RSA-OAEP with SHA-1": jwe({"alg": "RSA-OAEP", "enc": "A128GCM", "kid": BOX.kid}),
        "A256GCMKW": jwe({"alg": "A256GCMKW", "enc": "A128GCM", "iv": "AAAA", "tag": "AAAA"}),
        "CBC": jwe(oaep | {"enc": "A128CBC-HS256"}),
        "an ephemeral key on another curve": jwe(
            {"alg": "ECDH-ES", "enc": "A128GCM", "epk": public_jwk(attacker_key("P-521"))}, key=b""
        ),
        "a private ephemeral key": jwe(
            {"alg": "ECDH-ES", "enc": "A128GCM", "epk": public_jwk(attacker_key("P-256")) | {"d": "AA"}}, key=b""
        ),
        "an ephemeral secret": jwe({"alg": "ECDH-ES", "enc": "A128GCM", "epk": {"kty": "oct", "k": "AA"}}, key=b""),
        "no ephemeral key": jwe({"alg": "ECDH-ES", "enc": "A128GCM"}, key=b""),
        "crit": jwe(oaep | {"crit": ["zip"]}),
        "many members": jwe(oaep | {str(number): 0 for number in range(1000)}),
        "a deep header": f"{encode(b'[' * 3000)}.a.{'A' * 16}.a.{'A' * 22}",
        "zip in a JWS": compact({"alg": "ES256", "typ": "JWT", "zip": "DEF"}, bomb, lambda _: b"s"),
    }


@pytest.mark.spec("RFC 8725", "3.6")
@pytest.mark.parametrize("name", asks_for_work())
@pytest.mark.usefixtures("no_work")
def test_a_header_that_asks_for_work_gets_none(door: Door, name: str) -> None:
    with pytest.raises(InvalidToken):
        door(asks_for_work()[name])


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    "make",
    [
        lambda: f"{'A' * 10_000_000}.AAAA.AAAA",
        lambda: f"AAAA.{'A' * 10_000_000}.AAAA",
        lambda: f"{'A' * 10_000_000}.AAAA.{'A' * 16}.AAAA.{'A' * 22}",
        lambda: f"{'A' * 4100}.AAAA.AAAA",
        lambda: f"{'A' * 4100}.AAAA.{'A' * 16}.AAAA.{'A' * 22}",
        lambda: "." * 10_000_000,
        lambda: "A." * 1_000_000,
    ],
    ids=["header", "payload", "JWE header", "header of 4100", "JWE header of 4100", "stops", "parts"],
)
def test_what_is_too_long_costs_no_memory(door: Door, make: Callable[[], str]) -> None:
    text = make()
    tracemalloc.start()
    try:
        with pytest.raises(InvalidToken):
            door(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 500_000


@pytest.mark.usefixtures("no_work")
@pytest.mark.spec("RFC 7516", "7.2")
def test_a_thousand_recipients_are_not_looked_at(door: Door) -> None:
    """The JSON serializations, in which one text asks for many decryptions or checks, do not exist here."""
    recipient = {"header": {"alg": "RSA-OAEP-256", "kid": BOX.kid}, "encrypted_key": encode(b"k" * 256)}
    general = {"protected": encode(b'{"enc":"A128GCM"}'), "recipients": [recipient] * 1000, "iv": "", "tag": ""}
    signed = {
        "payload": encode(b"{}"),
        "signatures": [{"protected": encode(b'{"alg":"ES256"}'), "signature": ""}] * 1000,
    }
    for text in (json.dumps(general), json.dumps(signed)):
        with pytest.raises(InvalidToken):
            door(text)


def big_rsa(bits: int, exponent: bytes = b"\1\0\1") -> dict[str, Any]:
    """A modulus of this size: nobody has its key, but who checks a signature by it does not know that."""
    return {"kty": "RSA", "n": encode((1 << bits - 1 | 1).to_bytes((bits + 7) // 8, "big")), "e": encode(exponent)}


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    "jwk",
    [big_rsa(16_384), big_rsa(8_200), big_rsa(1024), big_rsa(2040), big_rsa(2048, b"\1" * 256), big_rsa(2048, b"")],
    ids=["16384 bits", "8200 bits", "1024 bits", "2040 bits", "long exponent", "no exponent"],
)
def test_an_rsa_key_out_of_bounds_is_refused_unused(jwk: dict[str, Any]) -> None:
    assert PublicKeys(jwks(jwk)).keys == []
    assert jwks_problem(json.dumps(jwks(jwk))) is not None
    proof = compact({"alg": "RS256", "typ": "dpop+jwt", "jwk": jwk}, CLAIMS, lambda _: b"s" * 256)
    with pytest.raises(InvalidToken):
        verify_with_embedded_jwk(proof, SIGNING, "dpop+jwt")


def test_rsa_keys_within_the_bounds_are_used() -> None:
    assert len(PublicKeys(jwks(big_rsa(2048), big_rsa(8192))).keys) == 2


@pytest.mark.usefixtures("no_work")
def test_a_set_of_too_many_keys_is_not_read() -> None:
    many = jwks(*[big_rsa(2048)] * 51)
    with pytest.raises(InvalidToken):
        PublicKeys(many)
    assert "50" in (jwks_problem(json.dumps(many)) or "")


@pytest.mark.parametrize("payload", [b"[" * 9000, b'{"a":' * 1500, b'{"exp":' + b"9" * 6000 + b"}", b'{"exp":1e999}'])
def test_json_that_is_hard_to_read_is_refused(payload: bytes) -> None:
    key = client_key("P-256")
    token = compact({"alg": "ES256", "typ": "JWT"}, payload, signer("ES256", key))
    with pytest.raises(InvalidToken):
        peek(token)
    with pytest.raises(InvalidToken):
        PublicKeys(jwks(public_jwk(key))).verify(token, SIGNING, TYP)


def test_a_proof_with_the_greatest_rsa_key_that_is_allowed_fits() -> None:
    """The bound on headers leaves room for what the bound on keys allows."""
    key = rsa.generate_private_key(65537, 4096)
    header = {"alg": "PS256", "typ": "dpop+jwt", "jwk": public_jwk(key)}
    assert verify_with_embedded_jwk(compact(header, CLAIMS, signer("PS256", key)), SIGNING, "dpop+jwt")[1] == CLAIMS
    greatest = json.dumps({"alg": "PS256", "typ": "dpop+jwt", "jwk": big_rsa(8192)}).encode()
    assert len(encode(greatest)) < 4_096
