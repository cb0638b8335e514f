"""`/oauth2/userinfo` (OpenID Connect Core §5.3): what the grant may show of the person, from claims sealed with it."""

from typing import Any

from identity.authn.people import People, store_unavailable
from identity.domain.applications import Application
from identity.secrets import Sealer
from identity.storage import grants
from identity.storage.configuration import Configuration
from identity.storage.database import Database
from identity.tokens.addresses import issuer_of
from identity.tokens.bearer import BearerError, require_bearer
from identity.tokens.claims import (
    names_of_scope,
    open_claims,
    open_session_claims,
    requested_names,
    seal_claims,
    select_claims,
    with_session_claims,
)
from identity.tokens.issuer import default_audience
from identity.tokens.reader import AccessToken, TokenReader
from identity.tokens.responses import ResponseTokens
from identity.tokens.subjects import shown_subject
from identity.web.messages import Request, Response, json_response
from userstores.spi import StoreUnavailable


class UserinfoEndpoint:
    def __init__(
        self,
        reader: TokenReader,
        configuration: Configuration,
        people: People,
        database: Database,
        sealer: Sealer,
        responses: ResponseTokens,
        base_url: str,
    ) -> None:
        self._reader = reader
        self._configuration = configuration
        self._people = people
        self._database = database
        self._sealer = sealer
        self._responses = responses
        self._base_url = base_url

    async def __call__(self, request: Request) -> Response:
        token = await require_bearer(self._reader, request, with_claims=True)
        application = await self._application(request, token)
        if "openid" not in token.scope.split() or not token.subject:
            raise BearerError(403, "insufficient_scope", "The access token was not issued for the scope openid.")
        # Decision 4: the default audience or the issuer.
        ours = {issuer_of(self._base_url, request.tenant.tenant), *default_audience(request.tenant, application)}
        if ours.isdisjoint(token.audience):
            raise BearerError(401, "invalid_token", "The access token is for another audience.")
        claims = await self._claims(request, application, token)
        names = names_of_scope(token.scope) | requested_names(token.state.requested_claims, "userinfo")
        subject = shown_subject(request.tenant, application, token.subject)
        return await self._answer(request, application, {**select_claims(claims, names), "sub": subject})

    async def _answer(self, request: Request, application: Application, claims: dict[str, Any]) -> Response:
        """OpenID Connect Core §5.3.2: JSON, or a JWT where the application registered for one."""
        sign, encrypt = application.userinfo_signed_response_alg, application.userinfo_encrypted_response_alg
        if sign is None and encrypt is None:
            return json_response(200, claims)
        if sign is not None:
            claims |= {"iss": issuer_of(self._base_url, request.tenant.tenant), "aud": application.client_id}
        token = await self._responses.protect(
            request.tenant,
            application,
            claims,
            typ="JWT",
            sign=sign,
            encrypt_alg=encrypt,
            encrypt_enc=application.userinfo_encrypted_response_enc,
        )
        return Response(200, token.encode(), [(b"content-type", b"application/jwt"), (b"cache-control", b"no-store")])

    async def _application(self, request: Request, token: AccessToken) -> Application:
        client_id = await self._configuration.client_id_of(request.tenant, token.application)
        application = await self._configuration.application(request.tenant, client_id) if client_id else None
        if application is None:
            raise BearerError(401, "invalid_token", "The access token is not valid.")
        return application

    async def _claims(self, request: Request, application: Application, token: AccessToken) -> dict[str, Any]:
        """The sealed claims; read from the store once more when the person has changed, or at each call if set."""
        state = token.state
        if state.claims_version == state.subject_version and not application.live_claims:
            return open_claims(self._sealer, state.claims, state.grant)
        subject = await self._people.subject(request.tenant, state.subject)
        try:
            person = await self._people.current(request.tenant, subject) if subject is not None else None
        except StoreUnavailable as error:
            raise store_unavailable(error) from None
        if person is None:
            raise BearerError(401, "invalid_token", "The access token is not valid.")
        shown = set(open_claims(self._sealer, state.claims, state.grant)) | names_of_scope(token.scope)
        told = open_session_claims(self._sealer, state.claims, state.grant)
        names = shown | requested_names(state.requested_claims, "userinfo")
        claims = select_claims(with_session_claims(person.claims, told), names)
        async with self._database.transaction() as transaction:
            await grants.update_grant_claims(
                transaction,
                request.tenant.id,
                state.grant,
                claims=seal_claims(self._sealer, claims, state.grant, told),
                subject_version=person.subject.version,
            )
        return claims
