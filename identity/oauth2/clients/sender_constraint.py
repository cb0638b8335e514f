"""What an access token will be bound to: a DPoP key (RFC 9449) or the client's certificate (RFC 8705 §3)."""

import re

from identity.domain.applications import Application
from identity.oauth2.errors import OAuthError
from identity.tokens.bearer import certificate_thumbprint
from identity.tokens.dpop import ALGORITHMS, DpopProofs, ProofError
from identity.web.messages import Request

_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


class SenderConstraint:
    def __init__(self, proofs: DpopProofs) -> None:
        self._proofs = proofs

    async def confirmation(self, request: Request, application: Application) -> str:
        """JSON of the `cnf` that a token request proves (RFC 7800 §3): `{"jkt":…}`, `{"x5t#S256":…}`, or empty.

        Raises OAuthError: a bad proof, or none where the application needs one (FAPI's always do).
        """
        proof = _has_proof(request)
        if application.tls_client_certificate_bound_access_tokens:
            if proof:
                raise OAuthError(
                    "invalid_request", "Tokens of this application are bound to its certificate: send no DPoP header."
                )
            return _certificate_confirmation(request)
        if proof or application.dpop_bound_access_tokens:
            return await self._proved(request, application)
        return ""

    async def pushed_confirmation(self, request: Request, application: Application, dpop_jkt: str | None) -> str:
        """JSON of the `cnf` that redeeming the code will have to prove, of a pushed request (RFC 9449 §10.1).

        Its DPoP header, its parameter `dpop_jkt`, or both when they agree. Raises OAuthError.
        """
        named = "" if dpop_jkt is None else jkt_confirmation(dpop_jkt)
        if not _has_proof(request):
            return named
        proved = await self._proved(request, application)
        if named and named != proved:
            raise OAuthError("invalid_dpop_proof", "The parameter dpop_jkt names another key than the DPoP proof.")
        return proved

    async def _proved(self, request: Request, application: Application) -> str:
        allowed = filter(application.rules.allows_algorithm, ALGORITHMS)
        try:
            thumbprint = await self._proofs.check(request, algorithms=allowed)
        except ProofError as error:
            raise OAuthError(error.code, error.public, detail=error.detail) from None
        return f'{{"jkt":"{thumbprint}"}}'


def jkt_confirmation(dpop_jkt: str) -> str:
    """The `cnf` that `dpop_jkt` of an authorization request asks for (RFC 9449 §10). Raises OAuthError."""
    if not _THUMBPRINT.fullmatch(dpop_jkt):
        raise OAuthError("invalid_request", "dpop_jkt must be a SHA-256 JWK thumbprint in base64url.")
    return f'{{"jkt":"{dpop_jkt}"}}'


def _certificate_confirmation(request: Request) -> str:
    """RFC 8705 §3.1"""
    if request.client_certificate is None:
        raise OAuthError(
            "invalid_request",
            "Tokens of this application are bound to its certificate: call with it, at the address of "
            "mtls_endpoint_aliases.",
        )
    return f'{{"x5t#S256":"{certificate_thumbprint(request.client_certificate)}"}}'


def _has_proof(request: Request) -> bool:
    return any(name == b"dpop" for name, _ in request.headers)
