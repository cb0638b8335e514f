"""How an authorization response travels: in the query, in the fragment, or posted by a form.

`iss` goes with every response, errors too (RFC 9207).
"""

from urllib.parse import urlencode, urlsplit

from identity.oauth2.authorization_request import AuthorizationRequest
from identity.tokens.addresses import issuer_of
from identity.web.messages import Request, Response, redirect
from identity.web.pages import PageResponses
from identity.web.security_headers import form_action_source


class AuthorizationResponses:
    def __init__(self, pages: PageResponses, base_url: str) -> None:
        self._pages = pages
        self._base_url = base_url

    def success(self, http: Request, request: AuthorizationRequest, code: str) -> Response:
        return self._respond(http, request, {"code": code})

    def error(self, http: Request, request: AuthorizationRequest, code: str, description: str) -> Response:
        """RFC 6749 §4.1.2.1."""
        return self._respond(http, request, {"error": code, "error_description": description})

    def _respond(self, http: Request, request: AuthorizationRequest, parameters: dict[str, str]) -> Response:
        if request.state is not None:
            parameters["state"] = request.state
        parameters["iss"] = issuer_of(self._base_url, http.tenant.tenant)
        if request.response_mode == "form_post":
            return self._form_post(http, request, parameters)
        mark = "#" if request.response_mode == "fragment" else "&" if "?" in request.redirect_uri else "?"
        location = request.redirect_uri + mark + urlencode(parameters)
        if urlsplit(request.redirect_uri).scheme in ("http", "https"):
            response = redirect(location)
        else:
            # Chromium checks form-action along the whole chain of redirects; a page that goes on by itself does not
            # fail where the application's own scheme bounces once more.
            response = self._pages.respond(
                http, "continue.html", ui_locales=request.ui_locales, url=location, application={"name": ""}
            )
        response.headers.append((b"cache-control", b"no-store"))
        return response

    def _form_post(self, http: Request, request: AuthorizationRequest, parameters: dict[str, str]) -> Response:
        """OAuth 2.0 Form Post Response Mode §2."""
        return self._pages.respond(
            http,
            "form_post.html",
            form_action=[form_action_source(request.redirect_uri)],
            ui_locales=request.ui_locales,
            action=request.redirect_uri,
            parameters=list(parameters.items()),
        )
