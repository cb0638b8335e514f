"""`session_state` and the browser state behind it (OpenID Connect Session Management 1.0 §2 and §3).

An application's page compares its `session_state` through our frame `/oidc/checksession`, whose script reads the
browser state from a cookie that gives nobody any right (decision 17).
"""

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from identity.authn.cookies import Cookies
from identity.domain.sessions import SsoSession
from identity.secrets import base64url
from identity.web.messages import Request, Response


class SessionStates:
    def __init__(self, cookies: Cookies, key: bytes) -> None:
        """`key` makes browser states, the same in every worker."""
        self._cookies = cookies
        self._key = key

    def browser_state(self, session: SsoSession) -> str:
        """Another one for each session, the same as long as it runs; it tells nothing about the session's cookie."""
        digest = hmac.digest(self._key, session.id.encode(), "sha256")
        return base64url(digest)

    def show(self, request: Request, response: Response, session: SsoSession) -> None:
        """Let the browser's cookie say that this session runs, if it does not yet."""
        state = self.browser_state(session)
        if self._cookies.browser_state(request) != state:
            lifetime = request.tenant.settings.session_absolute if session.remembered else None
            self._cookies.set_browser_state(response, request.tenant, state, lifetime)

    def session_state(
        self, request: Request, session: SsoSession | None, client_id: str, redirect_uri: str
    ) -> str | None:
        """Of a response in this session, or of an error: then whatever the browser's cookie says, or does not say."""
        known = self.browser_state(session) if session is not None else self._cookies.browser_state(request) or ""
        return session_state(client_id, redirect_uri, known)


def session_state(client_id: str, redirect_uri: str, browser_state: str, salt: str | None = None) -> str | None:
    """The hash that the frame makes too, with its salt. None where the application has no web origin.

    Session Management §2: over the client id, the origin of the response's address, the browser state and the salt.
    """
    origin = web_origin(redirect_uri)
    if origin is None:
        return None
    salt = secrets.token_urlsafe(12) if salt is None else salt
    digest = hashlib.sha256(f"{client_id} {origin} {browser_state} {salt}".encode()).hexdigest()
    return f"{digest}.{salt}"


def web_origin(uri: str) -> str | None:
    """An http(s) address's origin as browsers write it (RFC 6454 §6.2): lower case, without the default port."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = 443 if parts.scheme == "https" else 80
    return f"{parts.scheme}://{host}" + ("" if parts.port in (None, default) else f":{parts.port}")
