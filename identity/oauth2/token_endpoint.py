"""`POST /oauth2/token` (RFC 6749 §3.2)."""

from collections.abc import Awaitable, Callable, Iterable

from identity.domain.applications import Application
from identity.oauth2.asked_targets import AskedTargets
from identity.oauth2.clients.client_authentication import ClientAuthentication, refuse_query_credentials
from identity.oauth2.errors import ExactRefusal, OAuthError
from identity.oauth2.grants import Grant, TokenCall
from identity.oauth2.token_parameters import token_parameters
from identity.telemetry import Metrics
from identity.web.messages import Request, Response, json_response

Confirmation = Callable[[Request, Application], Awaitable[str]]
"""JSON of the `cnf` that a request proves, or empty. Raises OAuthError for a bad proof, or where one is missing."""


class TokenEndpoint:
    def __init__(
        self,
        clients: ClientAuthentication,
        confirmation: Confirmation,
        targets: AskedTargets,
        grants: Iterable[Grant],
        metrics: Metrics,
    ) -> None:
        self._clients = clients
        self._confirmation = confirmation
        self._targets = targets
        self._grants = {grant.grant_type: grant for grant in grants}
        self._metrics = metrics

    @property
    def grant_types(self) -> list[str]:
        return list(self._grants)

    async def __call__(self, request: Request) -> Response:
        refuse_query_credentials(request)
        form = token_parameters(request)
        application = await self._clients.authenticate(request, form)
        try:
            grant_type = form.get("grant_type")
            if grant_type is None:
                raise OAuthError("invalid_request", "The parameter grant_type is missing.")
            grant = self._grants.get(grant_type)
            if grant is None:
                raise OAuthError("unsupported_grant_type", "The grant_type is not supported.")
            if grant_type not in application.grant_types:
                raise OAuthError("unauthorized_client", "This application may not use that grant_type.")
            confirmation = await self._confirmation(request, application)
            resources, details = await self._targets.read(request.tenant, application, form)
            answer = await grant.handle(TokenCall(request, application, form, confirmation, resources, details))
        except ExactRefusal:
            raise
        except OAuthError:
            await self._clients.confirm(request, application)
            raise
        self._metrics.token_issued(grant_type, application.access_token_type)
        return json_response(200, answer)
