"""`/oidc/checksession`: the frame that tells an application's page whether its session goes on.

OpenID Connect Session Management 1.0 §3.2. The only address of ours that every site may frame (decision 22). The page
is empty; its script answers messages, and reads one cookie that carries no authority.
"""

from html import escape

from identity.authn.cookies import Cookies
from identity.web.messages import Request, Response
from identity.web.pages import HTML
from identity.web.security_headers import page_headers
from identity.web.theme import Theme

SCRIPT = "check_session.js"
_POLICY = b"default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *"
_OTHERWISE = (b"content-security-policy", b"x-frame-options")


class CheckSessionEndpoint:
    def __init__(self, cookies: Cookies, theme: Theme, base_url: str) -> None:
        self._cookies = cookies
        self._script = theme.path(SCRIPT)
        headers = page_headers(https=base_url.startswith("https:"))
        self._headers = [HTML, *(header for header in headers if header[0] not in _OTHERWISE)]

    async def __call__(self, request: Request) -> Response:
        """The same page for everybody: nothing of the request goes into it but the tenant."""
        cookie = escape(self._cookies.browser_state_name(request.tenant))
        body = (
            f'<!doctype html>\n<html lang="en" data-cookie="{cookie}">\n<meta charset="utf-8">\n'
            f'<title>Session</title>\n<script src="{escape(self._script)}"></script>\n</html>\n'
        )
        return Response(200, body.encode(), [*self._headers, (b"content-security-policy", _POLICY)])
