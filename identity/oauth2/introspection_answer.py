"""What introspection tells of a live token (RFC 7662 §2.2, wso2-contracts §1.5): no nulls, numbers as integers."""

from typing import Any

import msgspec

from identity.domain.applications import Application
from identity.tokens.reader import AccessToken

_TOLD_BY_JWT = ("cnf", "authorization_details", "act", "may_act", "binding_type", "binding_ref", "acr", "auth_time")
"""Claims of a JWT access token that go into the answer as they are; an opaque token has them in its row."""


class Active(msgspec.Struct):
    """The answer for a live token. Empty members are left out; `aud` is a string when it is one (contracts §7.10)."""

    active: bool | msgspec.UnsetType = msgspec.UNSET
    scope: str | msgspec.UnsetType = msgspec.UNSET
    client_id: str | msgspec.UnsetType = msgspec.UNSET
    username: str | msgspec.UnsetType = msgspec.UNSET
    token_type: str | msgspec.UnsetType = msgspec.UNSET
    exp: int | msgspec.UnsetType = msgspec.UNSET
    iat: int | msgspec.UnsetType = msgspec.UNSET
    nbf: int | msgspec.UnsetType = msgspec.UNSET
    aut: str | msgspec.UnsetType = msgspec.UNSET
    aud: Any = msgspec.UNSET
    jti: str | msgspec.UnsetType = msgspec.UNSET
    sub: str | msgspec.UnsetType = msgspec.UNSET
    iss: str | msgspec.UnsetType = msgspec.UNSET
    cnf: Any = msgspec.UNSET
    authorization_details: Any = msgspec.UNSET
    act: Any = msgspec.UNSET
    may_act: Any = msgspec.UNSET
    binding_type: str | msgspec.UnsetType = msgspec.UNSET
    binding_ref: str | msgspec.UnsetType = msgspec.UNSET
    acr: str | msgspec.UnsetType = msgspec.UNSET
    auth_time: int | msgspec.UnsetType = msgspec.UNSET
    token_string: str | msgspec.UnsetType = msgspec.UNSET


def active_answer(caller: Application | None, token: AccessToken, client_id: str | None) -> Active:
    """`client_id` names the application that the token was issued to; `caller` is None when a person asks."""
    answer = Active(
        True,
        token.scope or msgspec.UNSET,
        client_id or msgspec.UNSET,
        token_type="Bearer",  # noqa: S106
        exp=token.expires_at,
        iat=token.issued_at,
        nbf=token.issued_at,
        aud=_audience(caller, token.audience),
    )
    if token.state.grant or token.subject:
        if may_know_name(caller):
            answer.username = token.state.subject_username or msgspec.UNSET
        answer.aut = "APPLICATION_USER"
    else:
        answer.aut = "APPLICATION"
    claims = token.claims
    if claims is not None:
        answer.jti, answer.sub, answer.iss = claims["jti"], claims["sub"], claims["iss"]
        for name in _TOLD_BY_JWT:
            if name in claims:
                setattr(answer, name, claims[name])
    elif token.state.extra:
        for name, value in msgspec.json.decode(token.state.extra).items():
            setattr(answer, name, value)
    if isinstance(answer.cnf, dict) and "jkt" in answer.cnf:
        # RFC 9449 §6.2
        answer.token_type = "DPoP"
    return answer


def may_know_name(caller: Application | None) -> bool:
    """A username is the same everywhere: a pairwise client would know people by it (OpenID Connect Core §17.3)."""
    return caller is None or caller.subject_type == "public" or caller.may_introspect_any


def _audience(caller: Application | None, audience: tuple[str, ...]) -> str | tuple[str, ...]:
    if len(audience) == 1:
        return audience[0]
    if caller is None or not caller.single_audience:
        return audience
    own = (caller.client_id, *caller.audiences, *caller.resources)
    return next((name for name in audience if name in own), audience[0])
