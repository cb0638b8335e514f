"""JWTs as an attacker makes them: any header, any payload, any key, any signature, signed or encrypted.

`token = compact({"alg": "RS256", ...}, claims, signer("RS256", new_key("RS256")))`
"""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import ECKey, OKPKey, RSAKey

from identity.domain.keys import SIGNING_ALGORITHMS
from identity.storage.signing_keys import list_signing_keys
from identity.tokens.jose import key_context
from tests.support.builders import Site

Json = dict[str, Any]
Sign = Callable[[bytes], bytes]

MAC_ALGORITHMS = ("HS256", "HS384", "HS512")
ALGORITHMS = (*SIGNING_ALGORITHMS, *MAC_ALGORITHMS, "none")
"""Every `alg` that a forger can write and compute."""
CURVES: dict[str, type[ec.EllipticCurve]] = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
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
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(HASHES[_bits(algorithm)])))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


def _bits(algorithm: str) -> str:
    """Of its hash; where the name tells none, 256."""
    return algorithm[2:5] if algorithm[2:5] in HASHES else "256"


def new_key(algorithm: str, *, bits: int = 2048) -> Any:
    """A private key of the kind of this algorithm; for HMAC, 64 random bytes."""
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm]())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return os.urandom(64) if algorithm in MAC_ALGORITHMS else rsa.generate_private_key(65537, bits)


def signer(algorithm: str, key: Any) -> Sign:
    """Signs by this algorithm as far as the key can: whatever its kind, something comes out.

    With a key of another kind it is that key's own algorithm of the same hash, or an HMAC under its public PEM.
    """
    if algorithm == "none":
        return lambda _: b""
    if algorithm in MAC_ALGORITHMS:
        return hmac_signer(key if isinstance(key, bytes) else public_pem(key), algorithm)
    if isinstance(key, rsa.RSAPrivateKey):
        return rsa_signer(key, algorithm if algorithm[:2] in ("RS", "PS") else "RS" + _bits(algorithm))
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ecdsa_signer(key, algorithm)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign
    return hmac_signer(key, "HS256")


def private_jwk(key: Any, **members: Any) -> Json:
    """The JWK of a private key; for bytes one of kty `oct`."""
    if isinstance(key, bytes):
        return {"kty": "oct", "k": encode(key), **members}
    return {**_jwk_of(key).as_dict(private=True), **members}


def public_jwk(key: Any, **members: Any) -> Json:
    """The public JWK of a private or public key."""
    return {**_jwk_of(key).as_dict(private=False), **members}


def jwks(*keys: Json) -> Json:
    return {"keys": list(keys)}


def public_pem(key: Any) -> bytes:
    public = key.public_key() if hasattr(key, "public_key") else key
    pem: bytes = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem


def encrypted(header: Json, plain: bytes, public_key: rsa.RSAPublicKey) -> str:
    """A compact JWE under RSA-OAEP-256 and AES-GCM, whatever its header claims."""
    content_key, nonce = os.urandom(32 if header.get("enc") == "A256GCM" else 16), os.urandom(12)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    wrapped = public_key.encrypt(content_key, oaep)
    head = encode(json.dumps(header).encode())
    sealed = AESGCM(content_key).encrypt(nonce, plain, head.encode())
    return ".".join([head, *map(encode, (wrapped, nonce, sealed[:-16], sealed[-16:]))])


def public_spellings(jwk: Json) -> dict[str, bytes]:
    """A public key in the forms that libraries were fooled with as an HMAC secret."""
    public: Any = (
        (RSAKey if jwk["kty"] == "RSA" else ECKey if jwk["kty"] == "EC" else OKPKey).import_key(jwk).public_key
    )
    encoding, form = serialization.Encoding, serialization.PublicFormat
    pem = public_pem(public)
    spellings = {
        "PEM": pem,
        "PEM without its last line end": pem.strip(),
        "PEM after a blank line": b"\n" + pem,
        "PEM after spaces": b"  " + pem,
        "PEM after a text": b"key: " + pem,
        "PEM with CRLF": pem.replace(b"\n", b"\r\n"),
        "DER": public.public_bytes(encoding.DER, form.SubjectPublicKeyInfo),
        "JWK": json.dumps(jwk).encode(),
        "JWK sorted": json.dumps(jwk, sort_keys=True).encode(),
        "JWK without spaces": json.dumps(jwk, separators=(",", ":")).encode(),
    }
    if jwk["kty"] == "RSA":
        spellings["PKCS1 PEM"] = public.public_bytes(encoding.PEM, form.PKCS1)
        spellings["modulus"] = decode(jwk["n"])
        spellings["modulus as text"] = jwk["n"].encode()
    elif jwk["kty"] == "EC":
        spellings["point"] = public.public_bytes(encoding.X962, form.UncompressedPoint)
    else:
        spellings["point"] = decode(jwk["x"])
    return spellings


def _jwk_of(key: Any) -> RSAKey | ECKey | OKPKey:
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return RSAKey.import_key(key)
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return ECKey.import_key(key)
    return OKPKey.import_key(key)


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
        return {key["alg"]: key for key in self.site.http.get("/oauth2/jwks").json()["keys"] if key["use"] == "sig"}

    @cached_property
    def stolen(self) -> dict[str, Any]:
        """The tenant's private keys by algorithm: what must hold even for somebody who has them."""
        keys: dict[str, Any] = {}
        for key in self.site.administer(lambda a: list_signing_keys(a.database, self.site.tenant.id)):
            sealed, context = key.private_jwk, key_context(key.kid)
            jwk = json.loads(self.site.administer(lambda a, s=sealed, c=context: _opened(a, s, c)))  # type: ignore[misc]
            kinds: dict[str, Any] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
            keys[key.algorithm] = kinds[jwk["kty"]].import_key(jwk).private_key
        return keys

    @property
    def own_signer(self) -> Sign:
        return signer(self.header["alg"], self.stolen[self.header["alg"]])

    def resigned(self, header: Json | None = None, payload: Any = None, **members: Any) -> str:
        """Signed by the tenant's own key: only the header or the payload is wrong."""
        head = (self.header if header is None else header) | members
        return compact(head, self.payload if payload is None else payload, self.own_signer)

    def public_spellings(self, algorithm: str) -> dict[str, bytes]:
        """The published key of this algorithm, and the whole published set, to be used as an HMAC secret."""
        return public_spellings(self.jwks[algorithm]) | {"JWKS": self.site.http.get("/oauth2/jwks").content}


async def _opened(administration: Any, sealed: bytes, context: bytes) -> bytes:
    opened: bytes = administration.sealer.open(sealed, context)
    return opened
