"""The bearer check of our own resources (RFC 6750 §2, §3): one token, in one place, live, of the right kind."""

from identity.errors import IdentityError
from identity.tokens.reader import AccessToken, TokenReader
from identity.web.messages import Headers, Request


class BearerError(IdentityError):
    """RFC 6750 §3.1, with its challenge; the answer to no token at all names no error."""

    def __init__(self, status: int, code: str, public: str, *, named: bool = True) -> None:
        super().__init__(code, public, status=status)
        challenge = f'Bearer realm="identity", error="{code}"' if named else 'Bearer realm="identity"'
        self.headers: Headers = [(b"www-authenticate", challenge.encode())]


def presented_token(request: Request) -> str:
    """The access token of the Authorization header, or of a form body (RFC 6750 §2.2); never of the address."""
    header = request.header(b"authorization")
    in_form = ""
    if request.method == "POST" and request.body:
        in_form = request.form().get("access_token", "")
    if b"access_token" in request.query_string and "access_token" in request.query():
        raise BearerError(400, "invalid_request", "Send the access token in the Authorization header.")
    if header is None:
        if not in_form:
            raise BearerError(401, "invalid_token", "An access token is needed.", named=False)
        return in_form
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "bearer" or not value.strip():
        raise BearerError(401, "invalid_token", "An access token is needed.", named=False)
    if in_form:
        raise BearerError(400, "invalid_request", "Send the access token once.")
    return value.strip()


async def require_bearer(reader: TokenReader, request: Request, *, with_claims: bool = False) -> AccessToken:
    """The live token of the request. Raises BearerError."""
    token = await reader.read(request.tenant, presented_token(request), None, with_claims=with_claims)
    if token is None:
        raise BearerError(401, "invalid_token", "The access token is not valid: expired, revoked or unknown.")
    return token
