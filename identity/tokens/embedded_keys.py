"""JWTs that carry the public key they are signed with: DPoP proofs (RFC 9449 §4.2), and nothing else."""

from functools import lru_cache

from identity.tokens.algorithms import SIGNATURES
from identity.tokens.compact import Claims, InvalidToken, decode, parse_object, read_compact, require_typ
from identity.tokens.public_keys import PublicKey, jwk_thumbprint, read_public_key

KEPT_KEYS = 2_048


def verify_with_embedded_jwk(token: str, algorithms: frozenset[str], typ: str) -> tuple[str, Claims]:
    """RFC 7638 thumbprint of the key in the header, and the claims that it signed (RFC 9449 §4.3).

    Shows only that the sender holds that key; whether it is the right one, the thumbprint tells. Raises InvalidToken.
    """
    jws = read_compact(token, embedded_key=True)
    require_typ(jws.header, frozenset({typ}))
    algorithm = jws.algorithm(algorithms & SIGNATURES.keys())
    key, thumbprint = _key_in(jws.header_segment)
    if not key.fits(algorithm) or not jws.is_signed_by(algorithm, key.key):
        raise InvalidToken("signature")
    return thumbprint, jws.claims()


@lru_cache(KEPT_KEYS)
def _key_in(header_segment: str) -> tuple[PublicKey, str]:
    """The key in a proof's header. A client sends the same header with every proof: the key is read once."""
    key = read_public_key(parse_object(decode(header_segment))["jwk"])
    return key, jwk_thumbprint(key)
