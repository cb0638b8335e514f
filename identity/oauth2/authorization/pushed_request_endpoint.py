"""`POST /oauth2/par` (RFC 9126): the application hands in its authorization request itself, and gets a `request_uri`.

Everything that can be said against the request is said here, as JSON, before a person is bothered.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import msgspec

from identity.clock import SECOND, Clock
from identity.domain.applications import Application
from identity.ids import new_secret
from identity.oauth2.authorization.authorization_checks import PARAMETERS, check_authorization_request
from identity.oauth2.authorization.authorization_request import Draft, Grounds, PageError, Presented, RefusedRequest
from identity.oauth2.authorization.authorization_response import new_request
from identity.oauth2.authorization.request_sources import PUSHED_PREFIX, PushedParameters, RequestSources
from identity.oauth2.clients.client_authentication import ClientAuthentication, refuse_query_credentials
from identity.oauth2.clients.client_metadata_documents import ClientMetadataDocuments
from identity.oauth2.errors import OAuthError
from identity.secrets import token_hash
from identity.storage.configuration import ConfigurationMoved
from identity.storage.pushed_requests import PushedRequest, insert_pushed_request
from identity.web.messages import Request, Response, json_response

REPEATABLE = frozenset({"resource"})
MAXIMUM_LIFETIME = 599
"""Seconds. FAPI 2 §5.3.2.2: less than 600."""
_OF_THE_CLIENT = frozenset({"client_secret", "client_assertion", "client_assertion_type"})

PushedConfirmation = Callable[[Request, Application, str | None], Awaitable[str]]
"""JSON of the `cnf` that a pushed request asks its code to be bound to, or empty."""


class PushedRequestEndpoint:
    def __init__(
        self,
        clients: ClientAuthentication,
        documents: ClientMetadataDocuments,
        sources: RequestSources,
        confirmation: PushedConfirmation,
        grounds: Grounds,
        clock: Clock,
    ) -> None:
        self._clients = clients
        self._documents = documents
        self._sources = sources
        self._confirmation = confirmation
        self._grounds = grounds
        self._clock = clock

    async def __call__(self, http: Request) -> Response:
        refuse_query_credentials(http)
        form = http.form(REPEATABLE)
        await self._documents.ensure(http, form.get("client_id", ""))
        application = await self._clients.authenticate(http, form)
        try:
            presented = await self._presented(http, application, form)
            draft = Draft(presented, http.tenant, application, new_request(application, presented), self._grounds)
            await check_authorization_request(draft)
        except (OAuthError, PageError, RefusedRequest) as error:
            await self._clients.confirm(http, application)
            cause = error.error if isinstance(error, RefusedRequest) else error
            raise cause from None
        uri, lifetime = await self._stored(http, application, presented)
        return json_response(201, {"request_uri": uri, "expires_in": lifetime})

    async def _presented(self, http: Request, application: Application, form: dict[str, str]) -> Presented:
        if "request_uri" in form:
            # RFC 9126 §2.1
            raise OAuthError("invalid_request", "A pushed request cannot have a request_uri.")
        if "request" in form:
            # RFC 9126 §3: everything is in the request object; beside it is only what authenticates the client.
            presented = await self._sources.of_object(http, application, form["request"], pushed=True)
        else:
            parameters = {name: value for name, value in form.items() if name not in _OF_THE_CLIENT}
            presented = Presented(parameters=parameters, being_pushed=True)
        confirmation = await self._confirmation(http, application, presented.parameters.get("dpop_jkt"))
        if not confirmation:
            return presented
        # RFC 9449 §10.1: the key of the DPoP header is meant as if dpop_jkt had named it.
        bound = {"dpop_jkt": msgspec.json.decode(confirmation)["jkt"]}
        return replace(presented, parameters=presented.parameters | bound)

    async def _stored(self, http: Request, application: Application, presented: Presented) -> tuple[str, int]:
        """The `request_uri` and its lifetime in seconds. Raises ConfigurationMoved."""
        settings, value, now = http.tenant.settings, new_secret(), self._clock.now()
        lifetime = min(settings.pushed_request_lifetime, MAXIMUM_LIFETIME)
        expires_at = now + lifetime * SECOND
        # Public clients push without authentication: what nobody reads is not kept for them.
        read = {name: value for name, value in presented.parameters.items() if name in PARAMETERS}
        kept = PushedParameters(read, presented.signed)
        stored = await insert_pushed_request(
            self._grounds.database,
            PushedRequest(
                tenant=http.tenant.id,
                hash=token_hash(value),
                application=application.id,
                parameters=msgspec.json.encode(kept).decode(),
                expires_at=expires_at,
                keep_until=expires_at + settings.flow_lifetime * SECOND,
            ),
            application_version=application.version,
            tenant_version=http.tenant.tenant.version,
        )
        if not stored:
            raise ConfigurationMoved
        return PUSHED_PREFIX + value, lifetime
