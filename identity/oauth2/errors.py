"""OAuth errors: the RFC's code, a description that tells a developer what to change, and a detail only logs see."""

from identity.errors import IdentityError
from identity.web.messages import Headers


class OAuthError(IdentityError):
    """RFC 6749 §5.2 and its relatives. `headers` go with the answer (WWW-Authenticate); `uri` is a page about the
    error, an absolute address or a path of this host."""

    def __init__(
        self,
        code: str,
        public: str,
        *,
        detail: str = "",
        status: int = 400,
        headers: Headers | None = None,
        uri: str = "",
    ) -> None:
        super().__init__(code, public, detail=detail, status=status)
        self.headers: Headers = headers or []
        self.uri = uri


class ExactRefusal(OAuthError):
    """A refusal by a statement that compared the versions of tenant and caller itself: nothing is left to confirm."""


class TooManyRequests(OAuthError):
    """RFC 6585 §4: this client calls more often than its tenant allows. `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("slow_down", "Too many requests. Try again later.", status=429)
        self.retry_after = retry_after


def invalid_grant(detail: str) -> OAuthError:
    """One text for every cause: the caller must not learn which part of a guess was right."""
    return OAuthError(
        "invalid_grant",
        "The code or refresh token is not valid: it was used, has expired, was revoked or belongs to another client.",
        detail=detail,
    )


def invalid_client(detail: str, *, challenge: bool) -> OAuthError:
    """RFC 6749 §5.2: 401, with a challenge when the client used the Authorization header."""
    headers: Headers = [(b"www-authenticate", b'Basic realm="oauth2"')] if challenge else []
    return OAuthError("invalid_client", "Client authentication failed.", detail=detail, status=401, headers=headers)
