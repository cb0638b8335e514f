"""The published examples of the JOSE specifications, as they are printed there."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import OctKey

from identity.domain.keys import SigningKey
from identity.secrets import Sealer
from identity.tokens.compact import decode, read_compact
from identity.tokens.encryption import DecryptionKeys, decrypt
from identity.tokens.jose import PublicKeys, key_context, verify_mac
from identity.tokens.public_keys import jwk_thumbprint, read_public_key
from tests.attacks.forging import encode

VECTORS = Path(__file__).parent / "vectors"
Json = dict[str, Any]


def read(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def signature_parameters() -> list[Any]:
    return [
        pytest.param(
            vector,
            id=f"{vector['document']} {vector['section']}",
            marks=pytest.mark.spec(vector["document"], vector["section"]),
        )
        for file in sorted(VECTORS.glob("*_signatures.json"))
        for vector in read(file.name)
    ]


@pytest.mark.parametrize("vector", signature_parameters())
def test_a_published_signature_verifies_and_a_changed_one_does_not(vector: Json) -> None:
    jws = read_compact(vector["token"])
    jwk = vector["jwk"]
    key = OctKey.import_key(jwk) if jwk["kty"] == "oct" else read_public_key(jwk).key
    assert jws.is_signed_by(vector["alg"], key)
    assert not jws._replace(signing_input=jws.signing_input + b"A").is_signed_by(vector["alg"], key)
    if "payload" in vector:
        assert decode(jws.payload_segment).decode() == vector["payload"]


@pytest.mark.parametrize("vector", [row for row in signature_parameters() if "claims" in row.values[0]])
def test_published_claims_are_read_through_the_door_of_their_key(vector: Json) -> None:
    jwk, token, algorithms = vector["jwk"], vector["token"], frozenset({vector["alg"]})
    typ: frozenset[str | None] = frozenset({None, "JWT"})
    if jwk["kty"] == "oct":
        header, claims = verify_mac(token, decode(jwk["k"]), algorithms, typ)
    else:
        header, claims = PublicKeys({"keys": [jwk]}).verify(token, algorithms, typ)
    assert (header["alg"], claims) == (vector["alg"], vector["claims"])


@pytest.mark.parametrize(
    "vector",
    [
        pytest.param(vector, id=vector["document"], marks=pytest.mark.spec(vector["document"], vector["section"]))
        for vector in read("thumbprints.json")
    ],
)
def test_a_published_thumbprint(vector: Json) -> None:
    assert jwk_thumbprint(read_public_key(vector["jwk"])) == vector["thumbprint"]


@pytest.mark.spec("RFC 7518", "C")
def test_the_key_that_the_published_ecdh_es_computation_agrees_upon() -> None:
    """What is encrypted under the printed key opens with Bob's private key and Alice's ephemeral one in the header."""
    vector = read("rfc7518_ecdh_es.json")
    sealer = Sealer.from_master_keys(bytes(32))
    private = sealer.seal(json.dumps(vector["private_jwk"]).encode(), key_context("bob"))
    bob = SigningKey(kid="bob", algorithm="ECDH-ES", public_jwk="", private_jwk=private, created_at=0, active_at=0)
    header, nonce = encode(json.dumps(vector["header"]).encode()), bytes(12)
    sealed = AESGCM(decode(vector["derived_key"])).encrypt(nonce, b"plain", header.encode())
    token = f"{header}..{encode(nonce)}.{encode(sealed[:-16])}.{encode(sealed[-16:])}"
    keys = DecryptionKeys([bob], sealer)
    assert decrypt(token, keys, frozenset({"ECDH-ES"}), frozenset({"A128GCM"})) == b"plain"
