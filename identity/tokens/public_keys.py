"""Other people's keys: the JWK sets of clients and issuers (RFC 7517).

A set is parsed and bounded once. What in it is no key for us is passed over (RFC 7517 §5); a private or symmetric key
spoils the whole set, since whoever publishes one has lost it. A key verifies only with algorithms of its own kind, of
its own `use`, `key_ops` and `alg`, and among those that the caller allows.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from joserfc.errors import JoseError
from joserfc.jwk import thumbprint

from identity.tokens.algorithms import COORDINATE_BYTES, RSA_BITS, SIGNATURES, AsymmetricKey, Jwk, import_key
from identity.tokens.compact import Claims, Header, InvalidToken, decode, parse_object, read_compact, require_typ

MAXIMUM_KEYS = 50
_MODULUS_LETTERS = (RSA_BITS[1] // 8 * 4 + 2) // 3
_EXPONENT_LETTERS = 6
"""Four octets: a longer exponent only makes the checking slow."""
_CURVES = {"EC": ("P-256", "P-384", "P-521"), "OKP": ("Ed25519",)}
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_OPERATIONS = {"sig": frozenset({"verify"}), "enc": frozenset({"encrypt", "wrapKey", "deriveKey", "deriveBits"})}
"""What `key_ops` must name at least one of (RFC 7517 §4.3)."""


class UnknownKid(InvalidToken):
    """The header names a key that is not in the set: an older copy of the set may be at hand than the signer's."""


class _Unusable(InvalidToken):
    """A JWK that we cannot use, and that spoils nothing."""


class PublicKey(NamedTuple):
    """`jwk` has only the members that make the key (RFC 7638 §3.2); the others are what its owner restricts it to."""

    jwk: Jwk
    key: AsymmetricKey
    kid: str | None
    use: str | None
    alg: str | None
    operations: frozenset[str] | None

    def may(self, use: Literal["sig", "enc"], algorithm: str) -> bool:
        return (
            self.use in (None, use)
            and self.alg in (None, algorithm)
            and (self.operations is None or not self.operations.isdisjoint(_OPERATIONS[use]))
        )

    def fits(self, algorithm: str) -> bool:
        """Whether it may sign with this algorithm, and is of its kind (RFC 7518 §3.1)."""
        kind = SIGNATURES[algorithm]
        return (self.jwk["kty"], self.jwk.get("crv")) == (kind.kty, kind.crv) and self.may("sig", algorithm)


class PublicKeys:
    """A JWK set of somebody else. Raises InvalidToken when it is none, or has a private or symmetric key in it."""

    def __init__(self, jwks: Mapping[str, Any]) -> None:
        problem = _problem_of_set(jwks)
        if problem:
            raise InvalidToken(problem)
        self.keys: list[PublicKey] = []
        for jwk in jwks["keys"]:
            try:
                self.keys.append(read_public_key(jwk))
            except _Unusable:
                continue

    def has(self, kid: str) -> bool:
        return any(key.kid == kid for key in self.keys)

    def verify(self, token: str, algorithms: frozenset[str], typ: frozenset[str | None]) -> tuple[Header, Claims]:
        """Header and claims of a JWT that one of these keys signed with one of `algorithms`.

        `typ`: the media types allowed, None for no `typ` at all. Raises InvalidToken, UnknownKid. Times are not
        checked: `check_times` does that.
        """
        jws = read_compact(token)
        require_typ(jws.header, typ)
        algorithm = jws.algorithm(algorithms & SIGNATURES.keys())
        if not jws.is_signed_by(algorithm, self._signer(jws.header, algorithm).key):
            raise InvalidToken("signature")
        return jws.header, jws.claims()

    def for_encryption(self, algorithm: str) -> PublicKey | None:
        """The first key that may be encrypted to by this `alg`, one marked `use=enc` before others."""
        kty = "RSA" if algorithm.startswith("RSA") else "EC"
        fitting = [key for key in self.keys if key.jwk["kty"] == kty and key.may("enc", algorithm)]
        return next((key for key in fitting if key.use == "enc"), next(iter(fitting), None))

    def _signer(self, header: Header, algorithm: str) -> PublicKey:
        kid: str | None = header.get("kid")
        if kid is not None and not self.has(kid):
            raise UnknownKid("kid")
        fitting = [key for key in self.keys if kid in (None, key.kid) and key.fits(algorithm)]
        # OpenID Connect Core §10.1: where several keys could have signed, the header has to say which.
        if len(fitting) != 1:
            raise InvalidToken(f"{len(fitting)} keys for this kid and alg")
        return fitting[0]


def jwk_thumbprint(key: PublicKey) -> str:
    """SHA-256 over the members that make the key (RFC 7638 §3)."""
    return thumbprint(key.jwk)


def jwks_problem(text: str) -> str | None:
    """Why this JSON text may not be registered as a client's key set; None when every key of it is good."""
    try:
        jwks = parse_object(text.encode())
    except InvalidToken:
        return "it is not a JSON object whose members are all different"
    problem = _problem_of_set(jwks)
    if problem:
        return problem
    for place, jwk in enumerate(jwks["keys"], 1):
        try:
            read_public_key(jwk)
        except InvalidToken as error:
            return f"key {place}: {error.detail}"
    return None


def read_public_key(jwk: Any) -> PublicKey:
    """A public JWK of a kind that we use, its size looked at before any arithmetic. Raises InvalidToken."""
    if not isinstance(jwk, dict):
        raise _Unusable("not an object")
    if _PRIVATE_MEMBERS.intersection(jwk) or jwk.get("kty") == "oct":
        raise InvalidToken("a private or symmetric key")
    for name in ("kid", "use", "alg"):
        if not isinstance(jwk.get(name, ""), str):
            raise _Unusable(f"{name} is not a string")
    operations = jwk.get("key_ops")
    if operations is not None and not _are_strings(operations):
        raise _Unusable("key_ops is not an array of strings")
    try:
        members = _members(jwk)
        key = import_key(members)
    except (InvalidToken, JoseError, ValueError) as error:
        raise _Unusable(error.detail if isinstance(error, InvalidToken) else "not a point or modulus") from None
    allowed = None if operations is None else frozenset(operations)
    return PublicKey(members, key, jwk.get("kid"), jwk.get("use"), jwk.get("alg"), allowed)


def _members(jwk: Jwk) -> Jwk:
    """The members that make the key, in the one spelling that RFC 7518 §6 allows."""
    kty = jwk.get("kty")
    if kty == "RSA":
        modulus = _octets(jwk, "n", _MODULUS_LETTERS)
        exponent = _octets(jwk, "e", _EXPONENT_LETTERS)
        bits = int.from_bytes(modulus, "big").bit_length()
        # RFC 7518 §6.3.1.1, §2: the minimum number of octets, or one key would have two thumbprints.
        if modulus[0] == 0 or exponent[0] == 0:
            raise InvalidToken("n or e begins with zero octets")
        if not RSA_BITS[0] <= bits <= RSA_BITS[1]:
            raise InvalidToken(f"RSA of {bits} bits; {RSA_BITS[0]} to {RSA_BITS[1]} are allowed")
        return {"kty": kty, "n": jwk["n"], "e": jwk["e"]}
    if kty not in ("EC", "OKP") or jwk.get("crv") not in _CURVES[kty]:
        raise InvalidToken("kty and crv must be RSA, EC with P-256, P-384 or P-521, or OKP with Ed25519")
    coordinates = ("x", "y") if kty == "EC" else ("x",)
    for name in coordinates:
        # RFC 7518 §6.2.1.2: the full size of a coordinate of the curve.
        if len(_octets(jwk, name, 88)) != COORDINATE_BYTES[jwk["crv"]]:
            raise InvalidToken(f"{name} has not the length of a coordinate")
    return {"kty": kty, "crv": jwk["crv"], **{name: jwk[name] for name in coordinates}}


def _octets(jwk: Jwk, name: str, most: int) -> bytes:
    """A member in base64url of at most `most` letters."""
    value = jwk.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most or not value.isascii():
        raise InvalidToken(f"{name} is not base64url of 1 to {most} letters")
    return decode(value)


def _problem_of_set(jwks: Mapping[str, Any]) -> str | None:
    keys = jwks.get("keys")
    if not isinstance(keys, list):
        return "`keys` is not an array (RFC 7517 §5.1)"
    if len(keys) > MAXIMUM_KEYS:
        return f"there are more than {MAXIMUM_KEYS} keys"
    if any(isinstance(key, dict) and (_PRIVATE_MEMBERS.intersection(key) or key.get("kty") == "oct") for key in keys):
        return "there is a private or symmetric key in it; publish public keys only"
    return None


def _are_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
