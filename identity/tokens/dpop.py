"""DPoP proofs (RFC 9449): which key the sender of a request holds, shown anew with every request."""

import hmac
import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from urllib.parse import urlsplit

from identity.clock import SECOND, Clock, seconds
from identity.errors import IdentityError
from identity.secrets import base64url
from identity.storage.hot import HotStorage
from identity.tokens.algorithms import SIGNATURES
from identity.tokens.jose import Claims, InvalidToken, check_times, verify_with_embedded_jwk
from identity.tokens.single_use import first_use
from identity.web.forms import RepeatedParameter
from identity.web.messages import Request

ALGORITHMS = frozenset(SIGNATURES)
MAXIMUM_AGE = 60
"""Seconds since `iat`."""
SKEW = 10
"""Seconds that a client's clock may be off."""
NONCE_SECONDS = 300
"""A nonce is good until the end of the window after the one it was given in."""
MAXIMUM_JTI = 512
MAXIMUM_HTU = 2048

_TYP = "dpop+jwt"
_UNRESERVED = re.compile(r"%(4[1-9A-F]|5[0-9A]|6[1-9A-F]|7[0-9A]|3[0-9]|2D|2E|5F|7E)", re.IGNORECASE)
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")


class ProofError(IdentityError):
    """`invalid_dpop_proof` or `use_dpop_nonce` (RFC 9449 §5, §8)."""


class DpopNonces:
    """Nonces that need no memory: an HMAC of the window of time. Every worker gives the same."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def current(self, tenant: int) -> str:
        return self._of(tenant, self._window())

    def accepts(self, tenant: int, nonce: str) -> bool:
        window = self._window()
        given = nonce.encode()
        return any(hmac.compare_digest(self._of(tenant, at).encode(), given) for at in (window, window - 1))

    def _window(self) -> int:
        return seconds(self._clock.now()) // NONCE_SECONDS

    def _of(self, tenant: int, window: int) -> str:
        return base64url(hmac.digest(self._key, f"{tenant}:{window}".encode(), "sha256"))


class DpopProofs:
    """`addresses` are our own: the base URL, and that of mTLS when there is one."""

    def __init__(self, hot: HotStorage, nonces: DpopNonces, addresses: tuple[str, ...], clock: Clock) -> None:
        self._hot = hot
        self.nonces = nonces
        self._addresses = addresses
        self._clock = clock

    async def check(
        self, request: Request, *, access_token: str | None = None, algorithms: Iterable[str] = ALGORITHMS
    ) -> str:
        """The thumbprint (RFC 7638) of the key that the request's proof shows, by the list of RFC 9449 §4.3.

        With `access_token` the proof must name it. Raises ProofError.
        """
        try:
            thumbprint, claims = self._read(request, frozenset(algorithms))
            self._check(request, claims, access_token)
        except InvalidToken as error:
            raise _invalid(error.detail) from None
        self._check_nonce(request, claims)
        # RFC 9449 §11.1: a proof is good once.
        spent = sha256(f"dpop\0{thumbprint}\0{claims['jti']}".encode()).digest()
        keep_until = int(claims["iat"]) + MAXIMUM_AGE + 2 * SKEW
        if not await first_use(self._hot, request, spent, keep_until * SECOND):
            raise _invalid("jti: used before")
        return thumbprint

    def _read(self, request: Request, algorithms: frozenset[str]) -> tuple[str, Claims]:
        try:
            proof = request.header(b"dpop")
        except RepeatedParameter:
            # (1): there is not more than one DPoP header.
            raise InvalidToken("two proofs") from None
        if proof is None:
            raise InvalidToken("no proof")
        # (2) to (7): well-formed, its type, algorithm and signature, and no private key in it.
        return verify_with_embedded_jwk(proof, algorithms, _TYP)

    def _check(self, request: Request, claims: Claims, access_token: str | None) -> None:
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= MAXIMUM_JTI:
            raise InvalidToken("jti")
        # (8)
        if claims.get("htm") != request.method:
            raise InvalidToken("htm")
        # (9): by the configured addresses, whatever a proxy made of the request.
        htu = claims.get("htu")
        ours = {normalised(address + request.path) for address in self._addresses}
        if not isinstance(htu, str) or len(htu) > MAXIMUM_HTU or normalised(htu) not in ours:
            raise InvalidToken("htu")
        # (11)
        check_times(claims, seconds(self._clock.now()), skew=SKEW, maximum_age=MAXIMUM_AGE, require=("iat",))
        if access_token is not None:
            # (12)
            expected = base64url(sha256(access_token.encode()).digest())
            ath = claims.get("ath")
            if not isinstance(ath, str) or not hmac.compare_digest(ath.encode(), expected.encode()):
                raise InvalidToken("ath")

    def _check_nonce(self, request: Request, claims: Claims) -> None:
        """(10); the nonce to use goes out with every answer of the tenant (web.routing)."""
        if not request.tenant.settings.dpop_nonce_required:
            return
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not self.nonces.accepts(request.tenant.id, nonce):
            raise ProofError("use_dpop_nonce", "Put the nonce of the DPoP-Nonce header into the proof and try again.")


@lru_cache(4096)
def normalised(uri: str) -> str:
    """RFC 3986 §6.2.2 and §6.2.3, without query and fragment; empty when it is no absolute http or https URI."""
    if not uri.isascii() or not uri.isprintable() or " " in uri:
        return ""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return ""
    default = {"http": 80, "https": 443}.get(parts.scheme)
    if default is None or not parts.hostname or "@" in parts.netloc:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    origin = f"{parts.scheme}://{host}" if port in (None, default) else f"{parts.scheme}://{host}:{port}"
    path = _UNRESERVED.sub(lambda match: chr(int(match[1], 16)), parts.path)
    return origin + _without_dots(_ESCAPE.sub(lambda match: match[0].upper(), path))


def _without_dots(path: str) -> str:
    """RFC 3986 §5.2.4, of a path that is empty or begins with a slash."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _invalid(detail: str) -> ProofError:
    name = detail.partition(":")[0]
    return ProofError("invalid_dpop_proof", f"The DPoP proof is not valid ({name}).", detail=detail)
