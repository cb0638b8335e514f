"""Begins a grant that no browser's authorization stands behind, and gives its tokens at once.

Token exchange, assertions and passwords come here: grant, access token and refresh token are written in one round trip.
"""

from dataclasses import dataclass, replace
from typing import Any

from identity.authn.people import Person
from identity.clock import SECOND, Clock
from identity.domain.events import Event, EventType
from identity.domain.grants import Grant, GrantId, GrantKind
from identity.domain.sessions import SessionId
from identity.domain.tokens import NO_TERMS, RedeemableState, TokenTerms
from identity.domain.users import SubjectId
from identity.ids import new_id
from identity.oauth2.clients.client_authentication import ClientAuthentication
from identity.oauth2.errors import invalid_grant
from identity.oauth2.grants import TokenCall
from identity.oauth2.token_answer import GrantTokens
from identity.secrets import Sealer
from identity.storage import grants
from identity.storage.database import Database
from identity.storage.events import record
from identity.storage.write_batch import WriteBatch
from identity.tokens.claims import names_of_scope, seal_claims, select_claims


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGrant:
    """What is granted. `auth_time` microseconds, `amr` space-separated; `ends_at` bounds every token of it."""

    kind: GrantKind
    person: Person
    scope: str
    auth_time: int
    acr: str = ""
    amr: str = ""
    terms: TokenTerms = NO_TERMS
    refresh: bool = False
    ends_at: int | None = None
    """µs; None: the tenant's `session_absolute`."""
    session: str | None = None
    """The grant ends with this session."""
    source: str | None = None
    """The grant whose token is exchanged: this one ends with it."""


class GrantStarter:
    def __init__(
        self, database: Database, clients: ClientAuthentication, tokens: GrantTokens, sealer: Sealer, clock: Clock
    ) -> None:
        self._database = database
        self._clients = clients
        self._tokens = tokens
        self._sealer = sealer
        self._clock = clock

    async def start(self, call: TokenCall, new: NewGrant) -> dict[str, Any]:
        """The token answer. Raises ConfigurationMoved when the caller is not as cached any more."""
        grant = self._grant(call, new)
        made = await self._tokens.make(
            call.tenant,
            call.application,
            _state(call, grant),
            scope=grant.scope,
            nonce=None,
            refresh=new.refresh,
            refresh_scope=grant.scope,
            terms=replace(new.terms, confirmation=call.confirmation),
        )
        await self._clients.confirm(call.request, call.application)
        batch = WriteBatch()
        if grant.source is not None:
            await grants.require_standing(batch, grant.tenant, grant.source)
        await grants.insert_grant(batch, grant)
        if made.access is not None:
            await grants.insert_access_token(batch, made.access)
        if made.refresh is not None:
            await grants.insert_refresh_token(batch, made.refresh)
        await self._record(batch, call, grant)
        if not await self._database.commit(batch):
            raise invalid_grant("the grant of the token was revoked meanwhile")
        return made.answer

    def _grant(self, call: TokenCall, new: NewGrant) -> Grant:
        now = self._clock.now()
        grant_id = GrantId(new_id())
        subject = new.person.subject
        names = names_of_scope(new.scope) | set(call.application.access_token_claims)
        return Grant(
            tenant=call.tenant.id,
            id=grant_id,
            application=call.application.id,
            subject=SubjectId(subject.id),
            session=None if new.session is None else SessionId(new.session),
            session_bound=new.session is not None,
            scope=new.scope,
            claims=seal_claims(self._sealer, select_claims(new.person.claims, names), grant_id),
            subject_version=subject.version,
            subject_epoch=subject.epoch,
            requested_claims="",
            auth_time=new.auth_time,
            acr=new.acr,
            amr=new.amr,
            nonce=None,
            created_at=now,
            expires_at=new.ends_at or now + call.tenant.settings.session_absolute * SECOND,
            kind=new.kind,
            resources=" ".join(new.terms.resources),
            authorization_details=new.terms.authorization_details,
            actor=new.terms.actor,
            source=new.source,
        )

    async def _record(self, batch: WriteBatch, call: TokenCall, grant: Grant) -> None:
        await record(
            batch,
            Event(
                tenant=grant.tenant,
                type=EventType.GRANT_ISSUED,
                at=grant.created_at,
                subject=grant.subject,
                application=grant.application,
                session=grant.session or "",
                grant=grant.id,
                address=call.request.address,
                trace_id=call.request.trace_id,
                data={"scope": grant.scope, "kind": grant.kind},
            ),
        )


def _state(call: TokenCall, grant: Grant) -> RedeemableState:
    """The new grant as a redeemed code would show it."""
    return RedeemableState(
        tenant_version=call.tenant.tenant.version,
        caller_version=call.application.version,
        found=True,
        application=grant.application,
        application_enabled=True,
        grant=grant.id,
        grant_revoked=False,
        grant_expires_at=grant.expires_at,
        session=grant.session or "",
        session_bound=grant.session_bound,
        session_over=False,
        subject=grant.subject,
        subject_current=True,
        subject_version=grant.subject_version,
        scope=grant.scope,
        grant_scope=grant.scope,
        requested_claims="",
        claims=grant.claims,
        claims_version=grant.subject_version,
        auth_time=grant.auth_time,
        acr=grant.acr,
        amr=grant.amr,
        nonce=None,
        expires_at=grant.expires_at,
        redirect_uri="",
        code_challenge="",
        consumed_at=None,
        parent=None,
        first_used_at=None,
        uses=0,
        closed_at=None,
        kind=grant.kind,
        resources=grant.resources,
        authorization_details=grant.authorization_details,
        actor=grant.actor,
        confirmation="",
    )
