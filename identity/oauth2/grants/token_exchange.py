"""token-exchange (RFC 8693): a token of a person is exchanged for another one, for somebody who acts for them.

Delegation: the new token says in `act` who acts (§4.1), with those who acted before nested in it; `may_act` of the
subject token (§4.4) is obeyed. Impersonation: without `act`, for applications that an administrator allowed it.
An agent always acts under its own name. Nothing ever widens: scopes stay those of the subject token and of the
application, the lifetime that of the subject token's grant, the end that of its session.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from identity.authn.consent import Consents
from identity.authn.people import Person
from identity.domain.applications import TOKEN_EXCHANGE
from identity.domain.tokens import TokenTerms
from identity.oauth2.authorization_details import narrowed_details
from identity.oauth2.errors import OAuthError
from identity.oauth2.grant_starter import GrantStarter, NewGrant
from identity.oauth2.grants import TokenCall
from identity.oauth2.presented_tokens import ACCESS_TOKEN, JWT, MAXIMUM_ACTORS, PresentedToken, PresentedTokens
from identity.oauth2.resources import invalid_target, narrowed_resources
from identity.oauth2.scope_policy import ScopePolicy
from identity.oauth2.token_answer import gets_refresh_token
from identity.oauth2.trusted_assertions import is_visitor
from identity.tokens.claims import IDENTITY_SCOPES
from identity.tokens.jose import InvalidToken


class TokenExchangeGrant:
    grant_type = TOKEN_EXCHANGE

    def __init__(self, tokens: PresentedTokens, scopes: ScopePolicy, consents: Consents, starter: GrantStarter) -> None:
        self._tokens = tokens
        self._scopes = scopes
        self._consents = consents
        self._starter = starter

    async def handle(self, call: TokenCall) -> dict[str, Any]:
        issued_type = _issued_type(call)
        subject = await self._read(call, "subject_token")
        person = subject.person
        if person is None:
            raise _unusable("subject_token", "an application's own token")
        actor = await self._actor(call, subject)
        scope = await self._scope(call, subject, person)
        terms = TokenTerms(
            resources=_audience(call, subject),
            authorization_details=_details(call, subject),
            actor=json.dumps(actor) if actor else "",
        )
        if issued_type == JWT:
            # RFC 8693 §2.1: the type that was asked for, whatever the application's tokens are otherwise.
            call = replace(call, application=replace(call.application, access_token_type="jwt"))  # noqa: S106  the word
        answer = await self._starter.start(
            call,
            NewGrant(
                kind="token_exchange",
                person=person,
                scope=scope,
                auth_time=subject.auth_time,
                acr=subject.acr,
                amr=subject.amr,
                terms=terms,
                refresh=gets_refresh_token(call.application, scope) and not is_visitor(person),
                ends_at=subject.ends_at,
                session=subject.session,
                source=subject.grant,
            ),
        )
        return answer | {"issued_token_type": issued_type}

    async def _read(self, call: TokenCall, name: str) -> PresentedToken:
        token, token_type = call.required(name), call.required(f"{name}_type")
        try:
            return await self._tokens.read(call, token, token_type)
        except InvalidToken as error:
            raise _unusable(name, error.detail) from None

    async def _actor(self, call: TokenCall, subject: PresentedToken) -> dict[str, Any] | None:
        """`act` of the new token; None when nobody but the subject acts. Raises OAuthError."""
        if "actor_token" in call.form:
            actor = await self._read(call, "actor_token")
            if call.application.kind == "agent" and (actor.iss, actor.sub) != ("", call.application.client_id):
                # Nobody else's token, and not that of the person either, stands between an agent and its name.
                raise OAuthError("invalid_request", "An agent acts under its own name, with its own actor_token.")
        elif "actor_token_type" in call.form:
            # RFC 8693 §2.1: MUST NOT be included when actor_token is not.
            raise OAuthError("invalid_request", "There is an actor_token_type without an actor_token.")
        else:
            # Without a token of its own the caller acts, as its authentication shows.
            actor = PresentedToken(person=None, sub=call.application.client_id, auth_time=0)
        names = {"sub": actor.sub} | ({"iss": actor.iss} if actor.iss else {})
        if subject.may_act is not None and not _permits(subject, names):
            raise OAuthError(
                "invalid_request", "The subject_token names somebody else who may act (may_act).", detail=actor.sub
            )
        if "actor_token" not in call.form and not _acts_by_name(call, subject):
            return subject.act
        chain: dict[str, Any] = dict(names) if subject.act is None else {**names, "act": subject.act}
        if _depth(chain) > MAXIMUM_ACTORS:
            raise OAuthError("invalid_request", f"More than {MAXIMUM_ACTORS} have acted on the subject_token already.")
        return chain

    async def _scope(self, call: TokenCall, subject: PresentedToken, person: Person) -> str:
        asked = call.form.get("scope")
        wanted = asked.split() if asked is not None else sorted(subject.scope or ())
        if subject.scope is not None and not subject.scope.issuperset(wanted):
            raise OAuthError("invalid_scope", "The scope goes beyond that of the subject_token.")
        if is_visitor(person):
            wanted = [name for name in wanted if name not in IDENTITY_SCOPES]
        if subject.needs_consent:
            wanted = await self._consented(call, person, wanted)
        if "refresh_token" not in call.application.grant_types:
            wanted = [name for name in wanted if name != "offline_access"]
        return " ".join(await self._scopes.allowed(call.tenant, call.application, person.subject.id, wanted))

    async def _consented(self, call: TokenCall, person: Person, wanted: Iterable[str]) -> list[str]:
        """An ID token says who, not what they allowed: that is what they have allowed this application before."""
        allowed: list[str] = []
        for name in wanted:
            missing = await self._consents.missing(
                call.tenant,
                call.application,
                person.subject.id,
                name,
                ask=False,
                resources=" ".join(call.resources),
            )
            allowed += [] if missing else [name]
        return allowed


def _acts_by_name(call: TokenCall, subject: PresentedToken) -> bool:
    """Whether the caller stands in `act` without having sent an actor token.

    An agent always does. Another application does with a token that was issued to somebody else, unless it may
    impersonate; with one of its own, or of a trusted issuer, it acts as the application that the person uses.
    """
    application = call.application
    return application.kind == "agent" or not (subject.of_caller or application.may_impersonate)


def _issued_type(call: TokenCall) -> str:
    asked = call.form.get("requested_token_type", ACCESS_TOKEN)
    if asked not in (ACCESS_TOKEN, JWT):
        raise OAuthError("invalid_request", f"The requested_token_type must be {ACCESS_TOKEN} or {JWT}.")
    return asked


def _audience(call: TokenCall, subject: PresentedToken) -> tuple[str, ...]:
    """RFC 8693 §2.1: `audience` names services, `resource` their addresses; both together are the new token's `aud`."""
    named = tuple(dict.fromkeys(call.form.get("audience", "").split()))
    application = call.application
    allowed = {application.client_id, *application.audiences, *application.resources}
    if not allowed.issuperset(named):
        raise invalid_target("An audience is unknown here, or this application may not get tokens for it.")
    return narrowed_resources(application, subject.resources, tuple(dict.fromkeys((*named, *call.resources))))


def _details(call: TokenCall, subject: PresentedToken) -> str:
    """Those of the subject token that are of a type the caller may use, or what it asks for of them."""
    types = call.application.authorization_details_types
    kept = [item for item in json.loads(subject.details or "[]") if item["type"] in types]
    return narrowed_details(json.dumps(kept) if kept else "", call.authorization_details)


def _permits(subject: PresentedToken, names: dict[str, str]) -> bool:
    """RFC 8693 §4.4: the claims of `may_act` identify who may act; every one of them has to fit.

    Without `iss` they name somebody of ours or of the subject token's issuer, never a namesake at another one.
    """
    may_act = subject.may_act
    if not may_act or ("iss" not in may_act and names.get("iss", subject.iss) != subject.iss):
        return False
    return all(names.get(name) == value for name, value in may_act.items())


def _depth(act: Any) -> int:
    depth = 0
    while isinstance(act, dict):
        act, depth = act.get("act"), depth + 1
    return depth


def _unusable(name: str, detail: str) -> OAuthError:
    """RFC 8693 §2.2.2: invalid_request, whatever is wrong with it: the text is the same for every cause."""
    return OAuthError(
        "invalid_request",
        f"The {name} cannot be used: it must be a live token of ours for this application, or one of a trusted issuer, "
        f"and {name}_type must say which.",
        detail=detail,
    )
