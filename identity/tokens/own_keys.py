"""A tenant's own keys: made, signing, verifying what they signed. The algorithm is fixed by the key (RFC 8725 §3.1)."""

import json
from collections.abc import Iterable

import msgspec
from joserfc.util import urlsafe_b64encode

from identity.domain.keys import KeyAlgorithm, SigningKey, use_of
from identity.secrets import Sealer
from identity.tokens.algorithms import MODELS, SIGNATURES, generate_key, import_key
from identity.tokens.compact import Claims, InvalidToken, read_compact

_OWN_HEADER = {"typ", "alg", "kid"}
"""What `SigningJwk.sign` writes. A header of ours with anything else is not ours."""


class SigningJwk:
    """A private key ready to sign one kind of JWT."""

    __slots__ = ("_headers", "_key", "_model", "algorithm", "kid")

    def __init__(self, key: SigningKey, sealer: Sealer) -> None:
        self.kid = key.kid
        self.algorithm = key.algorithm
        self._key = import_key(json.loads(sealer.open(key.private_jwk, key_context(key.kid))))
        self._model = MODELS[key.algorithm]
        self._model.check_key(self._key)
        self._headers: dict[str, bytes] = {}
        """The encoded header by `typ`: it never changes, and joserfc would check and encode it for every token."""

    def sign(self, claims: Claims, typ: str) -> str:
        """A compact JWS with `typ`, `alg` and `kid` in its header (RFC 7515 §5.1)."""
        header = self._headers.get(typ)
        if header is None:
            parameters = {"typ": typ, "alg": self.algorithm, "kid": self.kid}
            header = self._headers[typ] = urlsafe_b64encode(msgspec.json.encode(parameters))
        signed = header + b"." + urlsafe_b64encode(msgspec.json.encode(claims))
        return (signed + b"." + urlsafe_b64encode(self._model.sign(signed, self._key))).decode("ascii")


class VerificationKeys:
    """A tenant's public signing keys by `kid`, retired ones included: their signatures still count."""

    def __init__(self, keys: Iterable[SigningKey]) -> None:
        self._keys = {
            key.kid: (key.algorithm, import_key(json.loads(key.public_jwk))) for key in keys if key.use == "sig"
        }

    def verify(self, token: str, typ: frozenset[str]) -> Claims:
        """The claims of a JWT signed by one of these keys with the algorithm of that key, `typ` among those allowed.

        Raises InvalidToken. Times are not checked here: who asks knows which lapse matters.
        """
        jws = read_compact(token)
        header = jws.header
        if header.keys() != _OWN_HEADER or not isinstance(header["typ"], str) or header["typ"] not in typ:
            raise InvalidToken("typ or header parameter")
        found = self._keys.get(header["kid"])
        if found is None or header["alg"] != found[0]:
            raise InvalidToken("kid or alg")
        if not jws.is_signed_by(*found):
            raise InvalidToken("signature")
        return jws.claims()


def make_key(algorithm: KeyAlgorithm, *, kid: str, sealer: Sealer, now: int, active_at: int) -> SigningKey:
    """A new key; `now` and `active_at` are microseconds. RSA takes a tenth of a second: call it in a thread.

    RSA of 2048 bits, or the curve of the algorithm (RFC 7518 §3.3, §3.4, §4.3, §4.6; RFC 8037 §3.1).
    """
    parameters = {"kid": kid, "use": use_of(algorithm), "alg": algorithm}
    if algorithm == "ECDH-ES":
        # RFC 7517 §4.4: without `alg`, since the key serves ECDH-ES+A128KW and ECDH-ES+A256KW as well.
        del parameters["alg"]
        kty, crv = "EC", "P-256"
    elif algorithm == "RSA-OAEP-256":
        kty, crv = "RSA", None
    else:
        kty, crv, _ = SIGNATURES[algorithm]
    key = generate_key(kty, crv, parameters)
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
    """The JWK set document (RFC 7517 §5): every key that signed, and those that may be encrypted to now."""
    published = (key.public_jwk for key in keys if key.use == "sig" or key.retired_at is None)
    return b'{"keys":[' + ",".join(published).encode() + b"]}"
