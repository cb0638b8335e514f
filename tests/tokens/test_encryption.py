"""JWE: what we encrypt a client can read, what clients encrypt we can read, and everything else is refused."""

import json
from typing import Any

import pytest
from joserfc import jwe
from joserfc.jwk import ECKey, RSAKey

from identity.domain.keys import CONTENT_ENCRYPTIONS, KEY_MANAGEMENT_ALGORITHMS
from identity.tokens.compact import decode
from identity.tokens.encryption import MAXIMUM_JWE, DecryptionKeys, NoEncryptionKey, decrypt, decrypt_jwt, encrypt
from identity.tokens.jose import MAXIMUM_JWT, InvalidToken, PublicKeys, public_jwks
from tests.attacks.forging import compact, encode, encrypted, jwks, public_jwk
from tests.tokens.made_keys import SEALER, attacker_key, client_key, own_key, private_of

RSA_BOX, EC_BOX = own_key("RSA-OAEP-256"), own_key("ECDH-ES")
BOXES = DecryptionKeys([own_key("ES256"), RSA_BOX, EC_BOX], SEALER)
PUBLISHED = PublicKeys(json.loads(public_jwks([own_key("ES256"), RSA_BOX, EC_BOX])))
ALGORITHMS, ENCRYPTIONS = frozenset(KEY_MANAGEMENT_ALGORITHMS), frozenset(CONTENT_ENCRYPTIONS)

every_algorithm = pytest.mark.parametrize("algorithm", KEY_MANAGEMENT_ALGORITHMS)
every_encryption = pytest.mark.parametrize("encryption", CONTENT_ENCRYPTIONS)


def opened(token: str) -> bytes:
    return decrypt(token, BOXES, ALGORITHMS, ENCRYPTIONS)


def header_of(token: str) -> Any:
    return json.loads(decode(token.split(".")[0]))


@pytest.mark.spec("RFC 7518", "4.1")
@pytest.mark.spec("RFC 7518", "5.1")
@every_algorithm
@every_encryption
def test_what_is_encrypted_to_our_published_key_opens(algorithm: str, encryption: str) -> None:
    token = encrypt({"iss": "joe"}, PUBLISHED, algorithm, encryption)
    assert header_of(token)["kid"] == (RSA_BOX if algorithm.startswith("RSA") else EC_BOX).kid
    assert json.loads(opened(token)) == {"iss": "joe"}


@every_algorithm
@every_encryption
def test_a_client_opens_what_was_encrypted_to_it(algorithm: str, encryption: str) -> None:
    """With another's code, on every kind of key that a client may have."""
    for kind in ("RSA",) if algorithm.startswith("RSA") else ("P-256", "P-384", "P-521"):
        key = client_key(kind)
        keys = PublicKeys(jwks(public_jwk(key, kid="box", use="enc")))
        token = encrypt("a.signed.token", keys, algorithm, encryption, cty="JWT")
        private = (RSAKey if kind == "RSA" else ECKey).import_key(key)
        found = jwe.decrypt_compact(token, private, algorithms=[algorithm, encryption])
        assert found.plaintext == b"a.signed.token"
        header = header_of(token)
        assert (header["alg"], header["enc"], header["kid"], header["cty"]) == (algorithm, encryption, "box", "JWT")


class TestTheKeyChosen:
    def key_of(self, *keys: dict[str, Any], algorithm: str = "ECDH-ES") -> str | None:
        try:
            token = encrypt({}, PublicKeys(jwks(*keys)), algorithm, "A128GCM")
        except NoEncryptionKey:
            return None
        kid: str = header_of(token).get("kid", "no kid")
        return kid

    def test_a_key_marked_for_encryption_comes_first(self) -> None:
        signing = public_jwk(client_key("P-256"), kid="signing", use="sig")
        unmarked = public_jwk(client_key("P-384"), kid="unmarked")
        marked = public_jwk(client_key("P-521"), kid="marked", use="enc")
        assert self.key_of(signing, unmarked, marked) == "marked"
        assert self.key_of(signing, unmarked) == "unmarked"
        assert self.key_of(public_jwk(client_key("P-256"))) == "no kid"
        assert self.key_of(signing) is None

    def test_a_key_of_another_kind_or_purpose_is_not_taken(self) -> None:
        key = client_key("P-256")
        for jwk in (
            public_jwk(client_key("RSA")), public_jwk(client_key("Ed25519")), public_jwk(key, alg="ECDH-ES+A128KW"),
            public_jwk(key, alg="ES256"), public_jwk(key, key_ops=["verify"]), public_jwk(key, key_ops=[]),
        ):  # fmt: skip
            assert self.key_of(jwk) is None, jwk
        assert self.key_of(public_jwk(key, key_ops=["deriveKey"], alg="ECDH-ES")) is not None
        assert self.key_of() is None

    @pytest.mark.parametrize(
        ("algorithm", "encryption"),
        [("RSA1_5", "A128GCM"), ("RSA-OAEP", "A128GCM"), ("dir", "A128GCM"), ("ECDH-ES", "A128CBC-HS256"), ("", "")],
    )
    def test_other_algorithms_are_not_offered(self, algorithm: str, encryption: str) -> None:
        with pytest.raises(NoEncryptionKey):
            encrypt({}, PUBLISHED, algorithm, encryption)


@every_algorithm
def test_a_changed_part_opens_nothing(algorithm: str) -> None:
    token = encrypt({"iss": "joe"}, PUBLISHED, algorithm, "A128GCM")
    parts = token.split(".")
    for place, part in enumerate(parts):
        for changed in (part[:-2], part + "AA", _turned(part), "", part + "="):
            if changed == part:
                continue
            with pytest.raises(InvalidToken):
                opened(".".join([*parts[:place], changed, *parts[place + 1 :]]))
    for text in (token + ".AA", ".".join(parts[:4]), token + "\n", " " + token, "", "....", "\u00e9" + token):
        with pytest.raises(InvalidToken):
            opened(text)


def _turned(part: str) -> str:
    """One bit of the first octet changed."""
    data = decode(part) if part else b""
    return encode(bytes([data[0] ^ 1]) + data[1:]) if data else ""


@every_algorithm
def test_the_caller_says_which_algorithms(algorithm: str) -> None:
    token = encrypt({}, PUBLISHED, algorithm, "A256GCM")
    assert decrypt(token, BOXES, frozenset({algorithm}), frozenset({"A256GCM"})) == b"{}"
    for algorithms, encryptions in (
        (ALGORITHMS - {algorithm}, ENCRYPTIONS), (ALGORITHMS, frozenset({"A128GCM"})), (frozenset(), ENCRYPTIONS),
        (ALGORITHMS, frozenset()),
    ):  # fmt: skip
        with pytest.raises(InvalidToken):
            decrypt(token, BOXES, frozenset(algorithms), frozenset(encryptions))


def test_the_kid_chooses_and_must_be_of_the_kind_of_the_algorithm() -> None:
    public = private_of(RSA_BOX).public_key()
    header: dict[str, Any] = {"alg": "RSA-OAEP-256", "enc": "A128GCM"}
    assert opened(encrypted(header, b"{}", public)) == b"{}"
    assert opened(encrypted(header | {"kid": RSA_BOX.kid}, b"{}", public)) == b"{}"
    bad: tuple[Any, ...] = (EC_BOX.kid, own_key("ES256").kid, "unknown", None, 1, [])
    for kid in bad:
        with pytest.raises(InvalidToken):
            opened(encrypted(header | {"kid": kid}, b"{}", public))


def test_a_signing_key_opens_nothing() -> None:
    """One key per use (decision 14)."""
    signing = own_key("RS256")
    keys = DecryptionKeys([signing], SEALER)
    token = encrypted(
        {"alg": "RSA-OAEP-256", "enc": "A128GCM", "kid": signing.kid}, b"{}", private_of(signing).public_key()
    )
    with pytest.raises(InvalidToken):
        decrypt(token, keys, ALGORITHMS, ENCRYPTIONS)
    assert PublicKeys(json.loads(public_jwks([signing]))).for_encryption("RSA-OAEP-256") is None
    # Nor does it stand in the way of the one that does, where no kid tells them apart.
    both = DecryptionKeys([RSA_BOX, signing], SEALER)
    token = encrypted({"alg": "RSA-OAEP-256", "enc": "A128GCM"}, b"{}", private_of(RSA_BOX).public_key())
    assert decrypt(token, both, ALGORITHMS, ENCRYPTIONS) == b"{}"


@pytest.mark.spec("RFC 7518", "4.6.1.1")
def test_an_ephemeral_key_is_a_point_of_our_curve() -> None:
    good = header_of(encrypt({}, PUBLISHED, "ECDH-ES", "A128GCM"))
    token = encrypt({}, PUBLISHED, "ECDH-ES", "A128GCM")
    assert opened(token) == b"{}"
    rest = token.partition(".")[2]
    epk = good["epk"]
    bad: tuple[Any, ...] = (
        None, [], "x", {}, epk | {"d": "AA"}, epk | {"kid": "x"}, epk | {"y": epk["x"]}, epk | {"x": encode(bytes(32))},
        epk | {"x": encode(bytes(33))}, epk | {"x": 1}, epk | {"x": "é" * 43}, epk | {"crv": "P-521"},
        epk | {"crv": "x"},
        epk | {"kty": "OKP"}, public_jwk(attacker_key("P-521")), public_jwk(attacker_key("Ed25519")),
    )  # fmt: skip
    for wrong in bad:
        with pytest.raises(InvalidToken):
            opened(f"{encode(json.dumps(good | {'epk': wrong}).encode())}.{rest}")
    for name in ("apu", "apv"):
        for value in (1, "é", "A", ["AA"]):
            with pytest.raises(InvalidToken):
                opened(f"{encode(json.dumps(good | {name: value}).encode())}.{rest}")


def test_the_plain_text_is_bounded() -> None:
    longest = encrypt("a" * MAXIMUM_JWT, PUBLISHED, "RSA-OAEP-256", "A128GCM", cty="JWT")
    assert len(longest) <= MAXIMUM_JWE
    assert len(opened(longest)) == MAXIMUM_JWT
    with pytest.raises(InvalidToken):
        opened(encrypt("a" * (MAXIMUM_JWT + 1), PUBLISHED, "RSA-OAEP-256", "A128GCM", cty="JWT"))


@pytest.mark.spec("RFC 7519", "5.2")
def test_a_nested_token_comes_out_as_text() -> None:
    inner = compact({"alg": "ES256"}, {"iss": "joe"}, lambda _: b"s")
    sealed = encrypt(inner, PUBLISHED, "RSA-OAEP-256", "A128GCM", cty="JWT")
    assert decrypt_jwt(sealed, BOXES, ALGORITHMS, ENCRYPTIONS) == inner
    public = private_of(RSA_BOX).public_key()
    header = {"alg": "RSA-OAEP-256", "enc": "A128GCM"}
    for plain in (sealed.encode(), "é".encode(), b"\xff"):
        with pytest.raises(InvalidToken):
            decrypt_jwt(encrypted(header, plain, public), BOXES, ALGORITHMS, ENCRYPTIONS)
