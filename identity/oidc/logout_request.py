"""What is demanded of a logout request (OpenID Connect RP-Initiated Logout 1.0 §2 and §3).

A bad hint or an unregistered address is an error page, never a redirect (decision 21).
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from identity.domain.applications import Application
from identity.domain.sessions import SsoSession
from identity.errors import IdentityError
from identity.oauth2.id_token_hint import read_hint
from identity.storage.configuration import Configuration, TenantConfiguration
from identity.tokens.jose import Claims, InvalidToken, is_encrypted
from identity.tokens.keyring import Keyring
from identity.web.messages import Request

PARAMETERS = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales")


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """A checked request; `return_url` is registered and carries the state."""

    parameters: dict[str, str]
    """As they came, to be sent along once more."""
    application: Application | None
    hint: Claims | None
    return_url: str | None
    ui_locales: str

    def is_hint_of(self, session: SsoSession) -> bool:
        """Whether the hint was issued in this session: who has it is an application that the person signed in to."""
        return self.hint is not None and self.hint.get("sid") == session.id

    @property
    def query(self) -> str:
        return f"?{urlencode(self.parameters)}" if self.parameters else ""


class LogoutRequests:
    def __init__(self, configuration: Configuration, keyring: Keyring, base_url: str) -> None:
        self._configuration = configuration
        self._keyring = keyring
        self._base_url = base_url

    async def check(self, request: Request, parameters: dict[str, str]) -> LogoutRequest:
        """Raises IdentityError."""
        hint = self._hint(request.tenant, parameters)
        client_id = parameters.get("client_id") or (hint["aud"] if hint else None)
        # RP-Initiated Logout §2: client_id and the audience of the hint must be the same.
        if hint is not None and client_id != hint["aud"]:
            raise IdentityError("invalid_request", "The client_id is not the one of the id_token_hint.")
        application = None
        if client_id is not None:
            application = await self._configuration.exact_application(request.tenant, client_id)
            if application is None:
                raise IdentityError("invalid_request", "The client_id is unknown here.")
        return LogoutRequest(
            parameters={name: value for name, value in parameters.items() if name in PARAMETERS},
            application=application,
            hint=hint,
            return_url=_return_url(application, parameters),
            ui_locales=parameters.get("ui_locales", "")[:200],
        )

    def _hint(self, tenant: TenantConfiguration, parameters: dict[str, str]) -> Claims | None:
        """The claims of an ID token that we signed, expired or not, with any key we ever had."""
        text = parameters.get("id_token_hint")
        if text is None:
            return None
        if is_encrypted(text):
            # OpenID Connect Core §3.1.2.1: only the application can open it, and it has to send what is inside.
            raise IdentityError(
                "invalid_request", "The id_token_hint is encrypted: send the signed ID token that is inside."
            )
        try:
            return read_hint(self._keyring, self._base_url, tenant, text)
        except InvalidToken as error:
            raise IdentityError(
                "invalid_request", "The id_token_hint is not an ID token of ours.", detail=error.detail
            ) from None


def _return_url(application: Application | None, parameters: dict[str, str]) -> str | None:
    uri = parameters.get("post_logout_redirect_uri")
    if uri is None:
        return None
    # RP-Initiated Logout §3: exactly one of those registered.
    if application is None or uri not in application.post_logout_redirect_uris:
        raise IdentityError("invalid_request", "The post_logout_redirect_uri is not registered for this application.")
    state = parameters.get("state")
    if state is None:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode({'state': state})}"
