"""The door to JOSE: what the rest of the server may know of JWTs and keys. No other package touches a JWT or joserfc.

RFC 7515 to RFC 7519, RFC 8037, RFC 8725. The algorithm is fixed by the key and the caller, never by the message.
Encryption is in `encryption.py`, loaded by whoever needs it.
"""

from identity.tokens.claim_times import check_times
from identity.tokens.compact import (
    MAXIMUM_JWT,
    Claims,
    Header,
    InvalidToken,
    is_encrypted,
    kid_of,
    parse_object,
    peek,
    read_header,
)
from identity.tokens.embedded_keys import verify_with_embedded_jwk
from identity.tokens.own_keys import SigningJwk, VerificationKeys, key_context, make_key, public_jwks
from identity.tokens.public_keys import PublicKeys, UnknownKid, jwks_problem
from identity.tokens.secret_macs import verify_mac

__all__ = [
    "MAXIMUM_JWT",
    "Claims",
    "Header",
    "InvalidToken",
    "PublicKeys",
    "SigningJwk",
    "UnknownKid",
    "VerificationKeys",
    "check_times",
    "is_encrypted",
    "jwks_problem",
    "key_context",
    "kid_of",
    "make_key",
    "parse_object",
    "peek",
    "public_jwks",
    "read_header",
    "verify_mac",
    "verify_with_embedded_jwk",
]
