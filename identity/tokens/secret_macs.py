"""JWTs under a secret that a client shares with us: `client_secret_jwt` (OpenID Connect Core §9)."""

from joserfc.jwk import OctKey

from identity.tokens.algorithms import MAC_HASHES
from identity.tokens.compact import Claims, Header, InvalidToken, read_compact, require_typ


def verify_mac(
    token: str, secret: bytes, algorithms: frozenset[str], typ: frozenset[str | None]
) -> tuple[Header, Claims]:
    """Header and claims of a JWT with an HMAC under the secret, by one of `algorithms`. Raises InvalidToken."""
    jws = read_compact(token)
    require_typ(jws.header, typ)
    algorithm = jws.algorithm(algorithms & MAC_HASHES.keys())
    # RFC 7518 §3.2: a key of the same size as the hash output or larger MUST be used.
    if len(secret) * 8 < int(algorithm[2:]):
        raise InvalidToken("secret shorter than the hash")
    try:
        key = OctKey.import_key(secret)
    except ValueError:
        # joserfc: a public key or certificate is no secret.
        raise InvalidToken("secret is a public key") from None
    if not jws.is_signed_by(algorithm, key):
        raise InvalidToken("signature")
    return jws.header, jws.claims()
