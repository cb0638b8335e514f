"""Where the parameters of an authorization request are: in the request itself, in a request object sent with it or
fetched, or in what was pushed before."""

import msgspec

from identity.clock import Clock
from identity.config import Purpose
from identity.domain.applications import Application
from identity.messaging.guarded_client import GuardedClient
from identity.messaging.outbound_policy import OutboundError
from identity.oauth2.authorization.authorization_request import Presented
from identity.oauth2.authorization.request_object import RequestObjects
from identity.oauth2.errors import OAuthError
from identity.secrets import token_hash
from identity.storage.database import Database
from identity.storage.pushed_requests import find_pushed_request
from identity.tokens.jose import MAXIMUM_JWT
from identity.web.messages import Request

PUSHED_PREFIX = "urn:ietf:params:oauth:request_uri:"
"""RFC 9126 §2.2"""
MAXIMUM_OBJECT = 2 * MAXIMUM_JWT
"""Bytes of a request object that is fetched; it may be encrypted."""


class PushedParameters(msgspec.Struct):
    """What is kept of a pushed request."""

    parameters: dict[str, str]
    signed: bool = False


class RequestSources:
    def __init__(self, objects: RequestObjects, client: GuardedClient, database: Database, clock: Clock) -> None:
        self._objects = objects
        self._client = client
        self._database = database
        self._clock = clock

    async def read(self, http: Request, application: Application, outer: dict[str, str]) -> Presented:
        """The parameters that count. Raises OAuthError."""
        text, uri = outer.get("request"), outer.get("request_uri")
        if text is None and uri is None:
            return Presented(parameters=outer)
        if text is not None and uri is not None:
            # RFC 9101 §5
            raise OAuthError("invalid_request", "Send request or request_uri, not both.")
        if uri is not None and uri.startswith(PUSHED_PREFIX):
            return await self._pushed(http, application, uri)
        if uri is not None:
            text = await self._fetched(application, uri)
        assert text is not None
        return await self.of_object(http, application, text)

    async def of_object(self, http: Request, application: Application, text: str, *, pushed: bool = False) -> Presented:
        """The parameters in a request object. Raises OAuthError invalid_request_object."""
        parameters = await self._objects.read(http, application, text, pushed=pushed)
        return Presented(parameters=parameters, being_pushed=pushed, signed=True)

    async def _pushed(self, http: Request, application: Application, uri: str) -> Presented:
        """Good for the application that pushed it, until it expires or a response was issued (decision 12)."""
        digest = token_hash(uri.removeprefix(PUSHED_PREFIX))
        found = await find_pushed_request(self._database, http.tenant.id, digest)
        if (
            found is None
            or found.application != application.id
            or found.consumed_at is not None
            or found.expires_at <= self._clock.now()
        ):
            raise invalid_request_uri("It is unknown, has expired, was used or is another client's: push a new one.")
        kept = msgspec.json.decode(found.parameters, type=PushedParameters)
        return Presented(parameters=kept.parameters, pushed=digest.hex(), signed=kept.signed)

    async def _fetched(self, application: Application, uri: str) -> str:
        """OpenID Connect Core §6.2. A fragment only tells versions of the content apart; it is fetched each time."""
        if uri not in application.request_uris:
            raise invalid_request_uri("It is not one of those registered for this application, to the letter.")
        address = uri.partition("#")[0]
        try:
            answer = await self._client.fetch(address, purpose=Purpose.CLIENT_METADATA, limit=MAXIMUM_OBJECT)
        except OutboundError as error:
            raise invalid_request_uri("It could not be fetched.", detail=error.detail) from None
        if answer.status != 200:
            raise invalid_request_uri("It could not be fetched.", detail=f"status {answer.status}")
        try:
            return answer.body.decode("ascii").strip()
        except UnicodeDecodeError:
            raise invalid_request_uri("What it leads to is not a request object.") from None


def invalid_request_uri(public: str, *, detail: str = "") -> OAuthError:
    """RFC 9101 §7"""
    return OAuthError("invalid_request_uri", f"The request_uri cannot be used. {public}", detail=detail)
