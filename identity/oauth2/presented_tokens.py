"""The tokens of a token exchange (RFC 8693 §2.1, §3): what `subject_token` and `actor_token` are believed to say.

Ours: access tokens and ID tokens, live, of this tenant, meant for the caller or issued to it. Others': JWTs of trusted
issuers. What is not one of these is refused in one way.
"""

import json
from dataclasses import dataclass
from typing import Any

from identity.authn.people import People, Person, store_unavailable
from identity.clock import SECOND, Clock, seconds
from identity.domain.grants import Grant
from identity.oauth2.grants import TokenCall
from identity.oauth2.id_token_hint import read_hint
from identity.oauth2.trusted_assertions import TrustedAssertions
from identity.storage import grants, sso_sessions
from identity.storage.configuration import Configuration
from identity.storage.database import Database
from identity.tokens.addresses import issuer_of
from identity.tokens.jose import InvalidToken, peek
from identity.tokens.keyring import Keyring
from identity.tokens.reader import AccessToken, TokenReader
from identity.tokens.subjects import shown_subject
from userstores.spi import StoreUnavailable

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
MAXIMUM_ACTORS = 8
"""How deep `act` may nest: a longer chain is a loop of services."""
_OTHERS = frozenset({None, "JWT", "at+jwt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedToken:
    """Whom a token is about, and what bounds whatever it is exchanged for. Moments are microseconds."""

    person: Person | None
    """None: an application's own token."""
    sub: str
    """How `act` names them."""
    iss: str = ""
    """Of a trusted issuer; empty for ours."""
    scope: frozenset[str] | None = None
    """None: no scope is part of it."""
    needs_consent: bool = False
    """Whether the person has to have allowed the application the scopes it asks for."""
    act: dict[str, Any] | None = None
    may_act: dict[str, Any] | None = None
    resources: tuple[str, ...] = ()
    """Of the caller's own token: what was authorized."""
    details: str = ""
    of_caller: bool = False
    """It was issued to the application that presents it."""
    session: str | None = None
    """What it is exchanged for ends with this session."""
    ends_at: int | None = None
    grant: str | None = None
    """Of ours: what it is exchanged for ends with this grant."""
    auth_time: int
    acr: str = ""
    amr: str = ""


class PresentedTokens:
    def __init__(
        self,
        reader: TokenReader,
        keyring: Keyring,
        trusted: TrustedAssertions,
        people: People,
        configuration: Configuration,
        database: Database,
        base_url: str,
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._keyring = keyring
        self._trusted = trusted
        self._people = people
        self._configuration = configuration
        self._database = database
        self._base_url = base_url
        self._clock = clock

    async def read(self, call: TokenCall, token: str, token_type: str) -> PresentedToken:
        """Raises InvalidToken; ConfigurationMoved; Unavailable when a directory is silent."""
        try:
            if token_type == ID_TOKEN and self._is_ours(call, token):
                return await self._id_token(call, token)
            if token_type == ACCESS_TOKEN or (token_type == JWT and self._is_ours(call, token)):
                return await self._access_token(call, token)
            if token_type in (JWT, ID_TOKEN):
                return await self._trusted_token(call, token)
        except StoreUnavailable as error:
            raise store_unavailable(error) from None
        raise InvalidToken(f"the type {token_type[:100]}")

    def _is_ours(self, call: TokenCall, token: str) -> bool:
        return peek(token).get("iss") == issuer_of(self._base_url, call.tenant.tenant)

    async def _access_token(self, call: TokenCall, token: str) -> PresentedToken:
        live = await self._reader.read(call.tenant, token, call.application)
        if live is None:
            raise InvalidToken("not a live access token of this tenant")
        of_caller = live.application == call.application.id
        # Attack row 17: a token for somebody else is no proof of anything to this caller.
        if not of_caller and call.application.client_id not in live.audience:
            raise InvalidToken("another audience")
        by_key = live.confirmation and live.confirmation != json.loads(call.confirmation or "{}")
        if by_key and (of_caller or call.application.public):
            # RFC 9449 §7, RFC 8705 §3: its own bound token is used with its key only. A service may hand on what it was
            # sent; who cannot be told apart from others may have stolen it.
            raise InvalidToken("bound to another key")
        if not live.subject:
            return await self._of_application(call, live, of_caller)
        grant = await grants.find_grant(self._database, call.tenant.id, live.state.grant)
        subject = await self._people.subject(call.tenant, live.subject)
        person = await self._people.current(call.tenant, subject) if subject is not None else None
        if grant is None or person is None:
            raise InvalidToken("the person or the grant is gone")
        return self._of_person(call, live, grant, person)

    def _of_person(self, call: TokenCall, live: AccessToken, grant: Grant, person: Person) -> PresentedToken:
        members = _members(live)
        details = members.get("authorization_details")
        of_caller = live.application == call.application.id
        return PresentedToken(
            person=person,
            sub=shown_subject(call.tenant, call.application, person.subject.id),
            scope=frozenset(live.scope.split()),
            act=members.get("act"),
            may_act=members.get("may_act"),
            resources=tuple(grant.resources.split()) if of_caller else (),
            details=json.dumps(details) if details else "",
            of_caller=of_caller,
            session=grant.session if grant.session_bound else None,
            ends_at=grant.expires_at,
            grant=grant.id,
            auth_time=grant.auth_time,
            acr=grant.acr,
            amr=grant.amr,
        )

    async def _of_application(self, call: TokenCall, live: AccessToken, of_caller: bool) -> PresentedToken:
        """An application's own token: it may be an actor, never a subject."""
        client_id = await self._configuration.client_id_of(call.tenant, live.application)
        if client_id is None:
            raise InvalidToken("the application is gone")
        return PresentedToken(person=None, sub=client_id, of_caller=of_caller, auth_time=live.issued_at * SECOND)

    async def _id_token(self, call: TokenCall, token: str) -> PresentedToken:
        claims = read_hint(self._keyring, self._base_url, call.tenant, token)
        expires_at = claims.get("exp")
        # RFC 8693 §5: without client authentication, whoever finds a token could turn it into another one.
        if claims["aud"] != call.application.client_id or call.application.public:
            raise InvalidToken("another audience, or who presents it cannot be told apart")
        if type(expires_at) is not int or expires_at <= seconds(self._clock.now()):
            raise InvalidToken("expired")
        # Only a session tells whether what the token says still stands: without one nothing could have ended it.
        sid = claims.get("sid")
        session = await sso_sessions.find_session(self._database, call.tenant.id, str(sid), self._clock.now())
        if session is None or shown_subject(call.tenant, call.application, session.subject) != claims["sub"]:
            raise InvalidToken("its session has ended")
        subject = await self._people.subject(call.tenant, session.subject)
        person = await self._people.current(call.tenant, subject) if subject is not None else None
        if person is None:
            raise InvalidToken("the person is gone")
        if type(claims["auth_time"]) is not int:
            raise InvalidToken("auth_time")
        return PresentedToken(
            person=person,
            sub=claims["sub"],
            needs_consent=True,
            of_caller=True,
            session=session.id,
            auth_time=claims["auth_time"] * SECOND,
            acr=str(claims.get("acr", "")),
            amr=" ".join(map(str, claims.get("amr", ()))),
        )

    async def _trusted_token(self, call: TokenCall, token: str) -> PresentedToken:
        found = await self._trusted.read(call, token, _OTHERS)
        person = await self._trusted.person(call.tenant, found)
        if person is None:
            raise InvalidToken("no account here")
        return PresentedToken(
            person=person,
            sub=found.sub,
            iss=found.issuer.issuer,
            act=_acted_elsewhere(found.claims, found.issuer.issuer),
            may_act=_object(found.claims, "may_act"),
            of_caller=True,
            auth_time=self._clock.now(),
        )


def _members(live: AccessToken) -> dict[str, Any]:
    """`act`, `may_act` and the details of a token: a JWT's own, or those stored with an opaque one."""
    if live.claims is not None:
        return live.claims
    members: dict[str, Any] = json.loads(live.state.extra or "{}")
    return members


def _acted_elsewhere(claims: dict[str, Any], issuer: str, depth: int = 1) -> dict[str, Any] | None:
    """`act` of an issuer's token, with its name at each actor that has none: nobody of ours (RFC 8693 §4.1)."""
    act = _object(claims, "act")
    if act is None:
        return None
    if depth > MAXIMUM_ACTORS:
        raise InvalidToken("act: nested too deeply")
    before = _acted_elsewhere(act, issuer, depth + 1)
    return {"iss": issuer} | act | ({"act": before} if before else {})


def _object(claims: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidToken(name)
    return value
