"""The only module that touches a JWT. The algorithm is fixed by the key and the caller, never by the message.

RFC 7515, RFC 7519, RFC 8725. Keys in a header (`jwk`, `jku`, `x5u`, `x5c`) are refused unread, `crit` too.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.util import urlsafe_b64encode

from identity.domain.keys import SigningAlgorithm, SigningKey
from identity.errors import IdentityError
from identity.secrets import Sealer

Claims = dict[str, Any]

MAXIMUM_JWT = 16_384
# RFC 7515 §3.1, §2: base64url without padding; decoders pass over what is not in their alphabet, we do not.
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_FORBIDDEN_HEADERS = frozenset({"crit", "jwk", "jku", "x5u", "x5c", "b64", "zip"})


class InvalidToken(IdentityError):
    """The text is not a JWT of ours that can be believed. Every cause looks the same from outside."""

    def __init__(self, detail: str) -> None:
        super().__init__("invalid_token", "The token is not valid.", detail=detail, status=401)


class SigningJwk:
    """A private key ready to sign one kind of JWT."""

    __slots__ = ("_algorithm", "_headers", "_key", "algorithm", "kid")

    def __init__(self, key: SigningKey, sealer: Sealer) -> None:
        self.kid = key.kid
        self.algorithm = key.algorithm
        private = sealer.open(key.private_jwk, key_context(key.kid))
        self._key = _import(key.algorithm, json.loads(private))
        self._algorithm = jws.JWSRegistry(algorithms=[key.algorithm]).get_alg(key.algorithm)
        self._algorithm.check_key(self._key)
        self._headers: dict[str, bytes] = {}
        """The encoded header by `typ`: it never changes, and joserfc would check and encode it for every token."""

    def sign(self, claims: Claims, typ: str) -> str:
        """A compact JWS with `typ`, `alg` and `kid` in its header (RFC 7515 §5.1)."""
        header = self._headers.get(typ)
        if header is None:
            parameters = {"typ": typ, "alg": self.algorithm, "kid": self.kid}
            header = self._headers[typ] = urlsafe_b64encode(msgspec.json.encode(parameters))
        signed = header + b"." + urlsafe_b64encode(msgspec.json.encode(claims))
        return (signed + b"." + urlsafe_b64encode(self._algorithm.sign(signed, self._key))).decode("ascii")


class VerificationKeys:
    """A tenant's public keys by `kid`, retired ones included: their signatures still count."""

    def __init__(self, keys: Iterable[SigningKey]) -> None:
        self._keys = {key.kid: (key.algorithm, _import(key.algorithm, json.loads(key.public_jwk))) for key in keys}

    def verify(self, token: str, typ: frozenset[str]) -> Claims:
        """The claims of a JWT signed by one of these keys with the algorithm of that key, `typ` among those allowed.

        Raises InvalidToken. Times are not checked here: who asks knows which lapse matters.
        """
        header = read_header(token)
        kind = header.get("typ")
        if not isinstance(kind, str) or kind not in typ:
            raise InvalidToken("typ")
        kid = header.get("kid")
        found = self._keys.get(kid) if isinstance(kid, str) else None
        if found is None or header.get("alg") != found[0]:
            raise InvalidToken("kid or alg")
        try:
            payload = jws.deserialize_compact(token, found[1], [found[0]]).payload
        except (JoseError, ValueError):
            raise InvalidToken("signature") from None
        return _object(payload)


def read_header(token: str) -> Mapping[str, Any]:
    """The protected header of a compact JWS, checked for shape only."""
    if len(token) > MAXIMUM_JWT or not _COMPACT.fullmatch(token) or not _canonical(token.rpartition(".")[2]):
        raise InvalidToken("shape")
    try:
        header = _object(_decode(token.partition(".")[0]))
    except ValueError:
        raise InvalidToken("header") from None
    if _FORBIDDEN_HEADERS.intersection(header):
        raise InvalidToken("header parameter")
    return header


def make_signing_key(algorithm: SigningAlgorithm, *, kid: str, sealer: Sealer, now: int, active_at: int) -> SigningKey:
    """A new key: RSA of 2048 bits for RS256, P-256 for ES256 (RFC 7518 §3.3, §3.4)."""
    parameters: Any = {"kid": kid, "use": "sig", "alg": algorithm}
    key = RSAKey.generate_key(2048, parameters) if algorithm == "RS256" else ECKey.generate_key("P-256", parameters)
    private = json.dumps(key.as_dict(private=True)).encode()
    return SigningKey(
        kid=kid,
        algorithm=algorithm,
        public_jwk=json.dumps(key.as_dict(private=False), sort_keys=True),
        private_jwk=sealer.seal(private, key_context(kid)),
        created_at=now,
        active_at=active_at,
    )


def key_context(kid: str) -> bytes:
    """What a sealed private key is bound to: it does not open under another `kid`."""
    return b"signing-key:" + kid.encode()


def public_jwks(keys: Iterable[SigningKey]) -> bytes:
    """The JWK set document (RFC 7517 §5)."""
    return b'{"keys":[' + ",".join(key.public_jwk for key in keys).encode() + b"]}"


def _import(algorithm: SigningAlgorithm, jwk: Any) -> RSAKey | ECKey:
    return RSAKey.import_key(jwk) if algorithm == "RS256" else ECKey.import_key(jwk)


def _decode(segment: str) -> bytes:
    import base64

    return base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)


def _canonical(segment: str) -> bool:
    """Whether the bits that the last letter has to spare are zero (RFC 4648 §3.5): one spelling for one signature."""
    import base64

    try:
        return base64.urlsafe_b64encode(_decode(segment)).rstrip(b"=") == segment.encode()
    except ValueError:
        return False


def _object(data: bytes) -> Claims:
    """A JSON object whose members are all different (RFC 8725 §2.4): a repeated name has two readings."""

    def pairs(members: list[tuple[str, Any]]) -> Claims:
        result = dict(members)
        if len(result) != len(members):
            raise ValueError("repeated member")
        return result

    try:
        # RFC 7519 §7.2: UTF-8; left to itself, the parser would guess UTF-16 and UTF-32 too.
        value = json.loads(data.decode("utf-8"), object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        raise InvalidToken("JSON") from None
    if not isinstance(value, dict):
        raise InvalidToken("not an object")
    return value
