"""Attack row 7: every function that takes a JWT, every algorithm, every kind of key. Only the bound pair passes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from identity.domain.keys import SIGNING_ALGORITHMS
from identity.tokens.algorithms import SIGNATURES
from identity.tokens.encryption import DecryptionKeys, decrypt_jwt
from identity.tokens.jose import (
    InvalidToken,
    PublicKeys,
    VerificationKeys,
    verify_mac,
    verify_with_embedded_jwk,
)
from tests.attacks.forging import (
    ALGORITHMS,
    MAC_ALGORITHMS,
    compact,
    encrypted,
    hmac_signer,
    jwks,
    public_jwk,
    public_spellings,
    signer,
)
from tests.tokens.made_keys import KIND_OF_KEY, SEALER, attacker_key, client_key, own_key, private_of

pytestmark = pytest.mark.long

CLAIMS = {"iss": "joe", "exp": 2_000_000_000}
TYP: frozenset[str | None] = frozenset({"JWT"})
EVERYTHING = frozenset(ALGORITHMS)
"""What a careless caller would allow."""
MISSPELT = ("None", "NONE", "nOnE", "", "null", "rs256", "Es256", " RS256", "RS256\n", "EDDSA", "Ed25519", "ES256K")


@dataclass(frozen=True)
class Bound:
    """A function that takes a JWT, with the one key and the one algorithm it is bound to."""

    algorithm: str
    key: Any
    header: dict[str, Any]
    verify: Callable[[str], Any]

    def believes(self, token: str) -> bool:
        try:
            self.verify(token)
        except InvalidToken:
            return False
        return True

    def token(self, algorithm: str, key: Any, **header: Any) -> str:
        return compact(self.header | {"alg": algorithm} | header, CLAIMS, signer(algorithm, key))


def kind_of(algorithm: str) -> str:
    if algorithm in MAC_ALGORITHMS:
        return "oct"
    signature = SIGNATURES[algorithm]
    return signature.crv or signature.kty


def own(algorithm: Any) -> Bound:
    key = own_key(algorithm)
    keys = VerificationKeys([key, *(own_key(other) for other in ("RS256", "ES256"))])
    header = {"typ": "JWT", "kid": key.kid}
    return Bound(algorithm, private_of(key), header, lambda token: keys.verify(token, frozenset({"JWT"})))


def of_client(algorithm: str) -> Bound:
    """A set with a key of every kind, none of them restricted by `alg`: the caller says which algorithm."""
    kinds = [kind for kind in KIND_OF_KEY if kind != "oct"]
    keys = PublicKeys(jwks(*(public_jwk(client_key(kind), kid=kind) for kind in kinds)))
    header = {"typ": "JWT", "kid": kind_of(algorithm)}
    verify = keys.verify
    return Bound(
        algorithm, client_key(kind_of(algorithm)), header, lambda token: verify(token, frozenset({algorithm}), TYP)
    )


def of_restricted_key(algorithm: str) -> Bound:
    """A key that names its own algorithm, and a caller who allows everything."""
    key = client_key(kind_of(algorithm))
    keys = PublicKeys(jwks(public_jwk(key, kid="one", alg=algorithm)))
    return Bound(algorithm, key, {"typ": "JWT", "kid": "one"}, lambda token: keys.verify(token, EVERYTHING, TYP))


def nested(algorithm: str) -> Bound:
    """Keycloak CVE-2026-9793: what comes encrypted is verified like everything else."""
    box = own_key("RSA-OAEP-256")
    boxes = DecryptionKeys([box], SEALER)
    inner = of_client(algorithm)

    def verify(token: str) -> Any:
        header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": box.kid, "cty": "JWT"}
        sealed = encrypted(header, token.encode(), private_of(box).public_key())
        return inner.verify(decrypt_jwt(sealed, boxes, frozenset({"RSA-OAEP-256"}), frozenset({"A256GCM"})))

    return Bound(algorithm, inner.key, inner.header, verify)


def embedded(algorithm: str) -> Bound:
    key = client_key(kind_of(algorithm))
    header = {"typ": "dpop+jwt", "jwk": public_jwk(key)}
    return Bound(
        algorithm, key, header, lambda token: verify_with_embedded_jwk(token, frozenset({algorithm}), "dpop+jwt")
    )


def mac(algorithm: str) -> Bound:
    secret = client_key("oct")
    return Bound(
        algorithm, secret, {"typ": "JWT"}, lambda token: verify_mac(token, secret, frozenset({algorithm}), TYP)
    )


BOUND: dict[str, Callable[[], Bound]] = {
    f"{make.__name__}-{algorithm}": lambda make=make, algorithm=algorithm: make(algorithm)  # type: ignore[misc]
    for makes, algorithms in (
        ((own, of_client, of_restricted_key, nested, embedded), SIGNING_ALGORITHMS),
        ((mac,), MAC_ALGORITHMS),
    )
    for make in makes
    for algorithm in algorithms
}


@pytest.fixture(params=BOUND)
def bound(request: pytest.FixtureRequest) -> Bound:
    return BOUND[request.param]()


@pytest.mark.spec("RFC 8725", "3.1")
def test_only_the_pair_bound_to_the_key_passes(bound: Bound) -> None:
    signers = {"bound": bound.key}
    for kind in KIND_OF_KEY:
        signers |= {f"client's {kind}": client_key(kind), f"attacker's {kind}": attacker_key(kind)}
    believed = {
        (algorithm, name)
        for algorithm in ALGORITHMS
        for name, key in signers.items()
        if bound.believes(bound.token(algorithm, key))
    }
    # The client's own key is under its own name, too.
    same = {name for name, key in signers.items() if key is bound.key}
    assert believed == {(bound.algorithm, name) for name in same}


def test_no_spelling_of_an_algorithm_stands_for_another(bound: Bound) -> None:
    genuine = bound.token(bound.algorithm, bound.key)
    assert bound.believes(genuine)
    header_of = bound.header
    bad: tuple[Any, ...] = (*MISSPELT, None, 0, True, [], [bound.algorithm], {})
    for alg in bad:
        for sign in (signer(bound.algorithm, bound.key), lambda _: b"", lambda _: b"\0"):
            assert not bound.believes(compact(header_of | {"alg": alg}, CLAIMS, sign)), alg
    assert not bound.believes(compact(header_of, CLAIMS, signer(bound.algorithm, bound.key)))


def test_a_damaged_token_is_refused(bound: Bound) -> None:
    head, payload, signature = bound.token(bound.algorithm, bound.key).split(".")
    other = compact({"alg": bound.algorithm}, {"iss": "mallory"}, lambda _: b"x").split(".")[1]
    for damaged in (
        f"{head}.{payload}.", f"{head}.{payload}", f"{head}.{payload}.{signature}.", f"{head}.{payload}.{signature}=",
        f"{head}.{other}.{signature}", f"{head}..{signature}", f".{payload}.{signature}",
        f"{head}.{payload}.{signature}\n", f"{head}.{payload}.{signature[:-2]}", f"{head}.{payload}.{signature}AA",
        f"{head}.{payload}.{'A' * len(signature)}", f"{head}\u00e9.{payload}.{signature}", "", ".", "..",
    ):  # fmt: skip
        assert not bound.believes(damaged), damaged


@pytest.mark.spec("RFC 8725", "3.1")
def test_a_public_key_is_no_secret(bound: Bound) -> None:
    """Authlib CVE-2026-114615: with a prefix, with white space, in every form."""
    for kind in KIND_OF_KEY:
        if kind == "oct":
            continue
        for name, spelling in public_spellings(public_jwk(client_key(kind))).items():
            for algorithm in MAC_ALGORITHMS:
                header = bound.header | {"alg": algorithm}
                token = compact(header, CLAIMS, hmac_signer(spelling, algorithm))
                assert not bound.believes(token), (name, algorithm)


@pytest.mark.parametrize("kind", [kind for kind in KIND_OF_KEY if kind != "oct"])
def test_a_secret_that_is_a_public_key_verifies_nothing(kind: str) -> None:
    spellings = public_spellings(public_jwk(client_key(kind)))
    for name in ("PEM", "PEM without its last line end", "PEM after a blank line", "PEM after a text", "DER"):
        secret = spellings[name]
        if len(secret) * 8 < 256:
            secret = secret.ljust(32)
        token = compact({"alg": "HS256", "typ": "JWT"}, CLAIMS, hmac_signer(secret, "HS256"))
        with pytest.raises(InvalidToken):
            verify_mac(token, secret, frozenset({"HS256"}), TYP)


@pytest.mark.spec("RFC 7518", "3.2")
@pytest.mark.parametrize("algorithm", MAC_ALGORITHMS)
def test_a_secret_shorter_than_the_hash_verifies_nothing(algorithm: str) -> None:
    enough = int(algorithm[2:]) // 8
    for length in (0, 1, 14, enough - 1, enough):
        secret = b"k" * length
        token = compact({"alg": algorithm, "typ": "JWT"}, CLAIMS, hmac_signer(secret, algorithm))
        if length == enough:
            assert verify_mac(token, secret, frozenset({algorithm}), TYP)[1] == CLAIMS
            continue
        with pytest.raises(InvalidToken):
            verify_mac(token, secret, frozenset({algorithm}), TYP)


@pytest.mark.parametrize("algorithm", ["none", "NONE", "nOnE", "HS256"])
def test_encryption_hides_no_unsigned_token(algorithm: str) -> None:
    """What is inside a JWE is nobody's until it is verified: our public key is public."""
    bound = nested("ES256")
    unsigned = compact(bound.header | {"alg": algorithm}, CLAIMS, lambda _: b"\0")
    for inside in (unsigned, unsigned.rpartition(".")[0] + ".", '{"iss":"joe"}', "", "a.b.c.d.e"):
        with pytest.raises(InvalidToken):
            bound.verify(inside or " ")
