"""JWTs as an attacker makes them: any header, any payload, any signature."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.jwk import ECKey, RSAKey

from identity.storage.signing_keys import list_signing_keys
from identity.tokens.jose import key_context
from tests.support.builders import Site

Json = dict[str, Any]
Sign = Callable[[bytes], bytes]

HASHES: dict[str, Any] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def compact(header: Json | bytes, payload: Any, sign: Sign) -> str:
    """A JWS; bytes are taken as they are, anything else becomes JSON."""
    first, second = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload))
    message = f"{encode(first)}.{encode(second)}"
    return f"{message}.{encode(sign(message.encode()))}"


def hmac_signer(key: bytes, algorithm: str) -> Sign:
    return lambda message: hmac.new(key, message, getattr(hashlib, "sha" + algorithm[2:])).digest()


def rsa_signer(key: rsa.RSAPrivateKey, algorithm: str) -> Sign:
    hash_ = HASHES[algorithm[2:]]
    how: Any = padding.PKCS1v15() if algorithm.startswith("RS") else padding.PSS(padding.MGF1(hash_), hash_.digest_size)
    return lambda message: key.sign(message, how, hash_)


def ecdsa_signer(key: ec.EllipticCurvePrivateKey, algorithm: str = "ES256") -> Sign:
    size = (key.curve.key_size + 7) // 8

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(HASHES[algorithm[2:5]])))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


@dataclass(frozen=True)
class Forge:
    """One of the tenant's own tokens to be imitated, and the tenant's keys: the public ones, and stolen ones."""

    site: Site
    genuine: str

    @property
    def header(self) -> Json:
        header: Json = json.loads(decode(self.genuine.split(".")[0]))
        return header

    @property
    def payload(self) -> Json:
        payload: Json = json.loads(decode(self.genuine.split(".")[1]))
        return payload

    @property
    def signature(self) -> bytes:
        return decode(self.genuine.split(".")[2])

    @cached_property
    def jwks(self) -> dict[str, Json]:
        """The published keys by algorithm."""
        return {key["alg"]: key for key in self.site.http.get("/oauth2/jwks").json()["keys"]}

    @cached_property
    def stolen(self) -> dict[str, Any]:
        """The tenant's private keys by algorithm: what must hold even for somebody who has them."""
        keys: dict[str, Any] = {}
        for key in self.site.administer(lambda a: list_signing_keys(a.database, self.site.tenant.id)):
            sealed, context = key.private_jwk, key_context(key.kid)
            jwk = json.loads(self.site.administer(lambda a, s=sealed, c=context: _opened(a, s, c)))  # type: ignore[misc]
            found = RSAKey.import_key(jwk) if key.algorithm == "RS256" else ECKey.import_key(jwk)
            keys[key.algorithm] = found.private_key
        return keys

    @property
    def own_signer(self) -> Sign:
        algorithm = self.header["alg"]
        key = self.stolen[algorithm]
        return rsa_signer(key, algorithm) if algorithm == "RS256" else ecdsa_signer(key)

    def resigned(self, header: Json | None = None, payload: Any = None, **members: Any) -> str:
        """Signed by the tenant's own key: only the header or the payload is wrong."""
        head = (self.header if header is None else header) | members
        return compact(head, self.payload if payload is None else payload, self.own_signer)

    def public_spellings(self, algorithm: str) -> dict[str, bytes]:
        """The published key in the forms that libraries were fooled with as an HMAC secret."""
        jwk = self.jwks[algorithm]
        key: Any = (RSAKey if algorithm == "RS256" else ECKey).import_key(jwk)
        public = key.public_key
        encoding, form = serialization.Encoding, serialization.PublicFormat
        pem = public.public_bytes(encoding.PEM, form.SubjectPublicKeyInfo)
        spellings = {
            "PEM": pem,
            "PEM without its last line end": pem.strip(),
            "PEM after a blank line": b"\n" + pem,
            "PEM after spaces": b"  " + pem,
            "PEM with CRLF": pem.replace(b"\n", b"\r\n"),
            "DER": public.public_bytes(encoding.DER, form.SubjectPublicKeyInfo),
            "JWK": json.dumps(jwk).encode(),
            "JWK sorted": json.dumps(jwk, sort_keys=True).encode(),
            "JWK without spaces": json.dumps(jwk, separators=(",", ":")).encode(),
            "JWKS": self.site.http.get("/oauth2/jwks").content,
        }
        if algorithm == "RS256":
            spellings["PKCS1 PEM"] = public.public_bytes(encoding.PEM, form.PKCS1)
            spellings["modulus"] = decode(jwk["n"])
            spellings["modulus as text"] = jwk["n"].encode()
        else:
            spellings["point"] = public.public_bytes(encoding.X962, form.UncompressedPoint)
        return spellings


async def _opened(administration: Any, sealed: bytes, context: bytes) -> bytes:
    opened: bytes = administration.sealer.open(sealed, context)
    return opened
