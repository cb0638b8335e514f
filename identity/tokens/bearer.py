"""The access token check of our own resources (RFC 6750 §2, §3; RFC 9449 §7; RFC 8705 §3): one token, in one place,
live, of the right kind, and sent by whoever holds the key or certificate that it is bound to."""

import hmac
from hashlib import sha256
from typing import Any, Literal

from identity.errors import IdentityError
from identity.secrets import base64url
from identity.tokens.dpop import ALGORITHMS, ProofError
from identity.tokens.reader import AccessToken, TokenReader
from identity.web.messages import FORM, Headers, Request

Scheme = Literal["Bearer", "DPoP"]

_ALGS = " ".join(sorted(ALGORITHMS))


class BearerError(IdentityError):
    """RFC 6750 §3.1, with its challenge; the answer to no token at all names no error, but both schemes."""

    def __init__(
        self, status: int, code: str, public: str, *, named: bool = True, scheme: Scheme = "Bearer", detail: str = ""
    ) -> None:
        super().__init__(code, public, status=status, detail=detail)
        error = f', error="{code}"' if named else ""
        challenges = {
            "Bearer": f'Bearer realm="identity"{error}',
            # RFC 9449 §7.1
            "DPoP": f'DPoP realm="identity"{error}, algs="{_ALGS}"',
        }
        told = [challenges[scheme]] if named else challenges.values()
        self.headers: Headers = [(b"www-authenticate", challenge.encode()) for challenge in told]


def presented_token(request: Request) -> tuple[Scheme, str]:
    """The access token of the Authorization header, or of a form body (RFC 6750 §2.2); never of the address."""
    header = request.header(b"authorization")
    in_form = ""
    if request.method == "POST" and request.body and _is_form(request):
        in_form = request.form().get("access_token", "")
    if b"access_token" in request.query_string and "access_token" in request.query():
        raise BearerError(400, "invalid_request", "Send the access token in the Authorization header.")
    if header is None:
        if not in_form:
            raise BearerError(401, "invalid_token", "An access token is needed.", named=False)
        return "Bearer", in_form
    name, _, value = header.partition(" ")
    scheme: Scheme | None = _SCHEMES.get(name.lower())
    if scheme is None or not value.strip():
        raise BearerError(401, "invalid_token", "An access token is needed.", named=False)
    if in_form:
        raise BearerError(400, "invalid_request", "Send the access token once.")
    return scheme, value.strip()


async def require_bearer(reader: TokenReader, request: Request, *, with_claims: bool = False) -> AccessToken:
    """The live token of the request, by whichever scheme it has to come. Raises BearerError."""
    scheme, value = presented_token(request)
    token = await reader.read(request.tenant, value, None, with_claims=with_claims)
    if token is None:
        raise BearerError(
            401, "invalid_token", "The access token is not valid: expired, revoked or unknown.", scheme=scheme
        )
    confirmation = token.confirmation
    if confirmation or scheme == "DPoP":
        await _require_proof(reader, request, scheme, value, confirmation)
    return token


async def _require_proof(
    reader: TokenReader, request: Request, scheme: Scheme, value: str, confirmation: dict[str, Any]
) -> None:
    match confirmation:
        case {"jkt": str(thumbprint)} if scheme == "DPoP":
            await _require_key(reader, request, value, thumbprint)
        case {"jkt": _}:
            # RFC 9449 §7.1: a token bound to a key is not good as a bearer token.
            public = "The access token is bound to a key: send it by DPoP, with a proof."
            raise BearerError(401, "invalid_token", public, scheme="DPoP")
        case {"x5t#S256": str(thumbprint)} if scheme == "Bearer":
            certificate = request.client_certificate
            if certificate is None or not _same(certificate_thumbprint(certificate), thumbprint):
                # RFC 8705 §3
                raise BearerError(401, "invalid_token", "The access token is bound to another client certificate.")
        case _:
            raise BearerError(401, "invalid_token", "The access token is not bound to a DPoP key.", scheme=scheme)


async def _require_key(reader: TokenReader, request: Request, value: str, thumbprint: str) -> None:
    try:
        proved = await reader.proofs.check(request, access_token=value)
    except ProofError as error:
        raise BearerError(401, error.code, error.public, scheme="DPoP", detail=error.detail) from None
    if not _same(proved, thumbprint):
        raise BearerError(401, "invalid_token", "The access token is bound to another key.", scheme="DPoP")


def certificate_thumbprint(certificate: bytes) -> str:
    """`x5t#S256` of a certificate in DER (RFC 8705 §3.1)."""
    return base64url(sha256(certificate).digest())


def _is_form(request: Request) -> bool:
    return (request.header(b"content-type") or "").partition(";")[0].strip().lower() == FORM


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


_SCHEMES: dict[str, Scheme] = {"bearer": "Bearer", "dpop": "DPoP"}
