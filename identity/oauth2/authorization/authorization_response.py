"""How an authorization response travels: in the query, in the fragment, or posted by a form; plain, or as one JWT.

`iss` goes with every response, errors too (RFC 9207); within a JWT it is one of its claims (JARM §2.1).
"""

from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from identity.authn.session_state import SessionStates
from identity.clock import Clock, seconds
from identity.domain.applications import Application
from identity.domain.sessions import SsoSession
from identity.errors import IdentityError
from identity.oauth2.authorization.authorization_request import AuthorizationRequest, Presented
from identity.oauth2.authorization.response_types import JWT_MODES, carrier_of
from identity.oauth2.errors import OAuthError
from identity.oauth2.native.native_login import DIRECT, completed, error_answer
from identity.tokens.addresses import issuer_of
from identity.tokens.responses import ResponseTokens
from identity.web.messages import Request, Response, json_response, redirect
from identity.web.pages import PageResponses
from identity.web.security_headers import form_action_source

JWT_SECONDS = 600
"""JARM §2.1 recommends at most 10 minutes."""


def new_request(application: Application, presented: Presented) -> AuthorizationRequest:
    """A request before its checks: enough for an error to be answered, once its address is known."""
    return AuthorizationRequest(
        client_id=application.client_id,
        redirect_uri="",
        redirect_uri_given=False,
        response_mode="query",
        state=presented.parameters.get("state"),
        pushed=presented.pushed,
    )


class AuthorizationResponses:
    def __init__(
        self, pages: PageResponses, tokens: ResponseTokens, states: SessionStates, base_url: str, clock: Clock
    ) -> None:
        self._pages = pages
        self._states = states
        self._tokens = tokens
        self._base_url = base_url
        self._clock = clock

    async def success(
        self,
        http: Request,
        application: Application,
        request: AuthorizationRequest,
        parameters: dict[str, Any],
        session: SsoSession,
    ) -> Response:
        """`parameters` by response type: `code`, `access_token` and what goes with it, `id_token`, or none."""
        parameters |= self._session_state(http, request, session)
        response = await self._respond(http, application, request, parameters)
        self._states.show(http, response, session)
        return response

    async def error(
        self, http: Request, application: Application, request: AuthorizationRequest, error: IdentityError
    ) -> Response:
        """RFC 6749 §4.1.2.1."""
        if request.response_mode == DIRECT:
            return error_answer(http, error)
        told = {"error": error.code, "error_description": error.public}
        if isinstance(error, OAuthError) and error.uri:
            told["error_uri"] = _absolute(error.uri, self._base_url)
        return await self._respond(http, application, request, told | self._session_state(http, request, None))

    def _session_state(
        self, http: Request, request: AuthorizationRequest, session: SsoSession | None
    ) -> dict[str, str]:
        """Session Management 1.0 §2: with every response to an authentication request. An error tells what the browser
        believes, so that the application notices when that changes."""
        if "openid" not in request.scope.split():
            return {}
        state = self._states.session_state(http, session, request.client_id, request.redirect_uri)
        return {} if state is None else {"session_state": state}

    async def _respond(
        self, http: Request, application: Application, request: AuthorizationRequest, parameters: dict[str, Any]
    ) -> Response:
        if request.state is not None:
            parameters["state"] = request.state
        issuer = issuer_of(self._base_url, http.tenant.tenant)
        if request.response_mode in JWT_MODES:
            parameters = {"response": await self._as_jwt(http, application, issuer, parameters)}
        else:
            parameters["iss"] = issuer
        if request.response_mode == DIRECT:
            return json_response(200, completed(parameters))
        carrier = carrier_of(request.response_mode, request.response_words)
        if carrier == "form_post":
            return self._form_post(http, request, parameters)
        mark = "#" if carrier == "fragment" else "&" if "?" in request.redirect_uri else "?"
        return self._redirect(http, request, request.redirect_uri + mark + urlencode(parameters))

    async def _as_jwt(self, http: Request, application: Application, issuer: str, parameters: dict[str, Any]) -> str:
        """JARM §2.1, §2.2. Raises NoEncryptionKey."""
        claims = parameters | {
            "iss": issuer,
            "aud": application.client_id,
            "exp": seconds(self._clock.now()) + JWT_SECONDS,
        }
        return await self._tokens.protect(
            http.tenant,
            application,
            claims,
            typ="JWT",
            sign=application.authorization_signed_response_alg or http.tenant.settings.default_algorithm,
            encrypt_alg=application.authorization_encrypted_response_alg,
            encrypt_enc=application.authorization_encrypted_response_enc,
        )

    def _redirect(self, http: Request, request: AuthorizationRequest, location: str) -> Response:
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

    def _form_post(self, http: Request, request: AuthorizationRequest, parameters: dict[str, Any]) -> Response:
        """OAuth 2.0 Form Post Response Mode §2."""
        return self._pages.respond(
            http,
            "form_post.html",
            form_action=[form_action_source(request.redirect_uri)],
            ui_locales=request.ui_locales,
            action=request.redirect_uri,
            parameters=list(parameters.items()),
        )


def _absolute(uri: str, base_url: str) -> str:
    """A path is one of this host: the application could not know what it is relative to."""
    return uri if urlsplit(uri).scheme else urljoin(base_url, "/" + uri.lstrip("/"))
