"""Whose own account `/api/users` is about: the person of the access token, and nobody else.

Reading takes the token. Changing takes a recent sign-in, too, as the account's pages do (`own_factors`): what is judged
is the sign-in that the token's grant came from, not the token's age. A grant that nobody signed in for (an assertion, a
token exchanged by another application) changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from identity.account.own_factors import FRESH_SECONDS, OwnFactors, Visit
from identity.authn.api_access import AccessDenied, ApiAccess
from identity.authn.assurance import raised
from identity.domain.grants import Grant, GrantKind
from identity.errors import IdentityError
from identity.storage.database import Database
from identity.storage.grants import find_grant, raise_grant
from identity.storage.write_batch import WriteBatch
from identity.web.json_bodies import read_body
from identity.web.messages import FORM, Request

_SIGNED_IN: frozenset[GrantKind] = frozenset({"authorization_code", "device", "ciba", "password"})


@dataclass(frozen=True, slots=True)
class GrantVisit(Visit):
    """Through an application, whose grant stands for the sign-in."""

    grant: Grant

    async def shown(self, batch: WriteBatch, methods: tuple[str, ...]) -> None:
        """Note in `batch` that the grant's person has shown these methods, too; not when it is revoked by then.

        The browser's session stays as it is: its cookie, which would have to change, is out of reach.
        """
        acr, amr = raised(self.grant.acr, self.grant.amr, methods)
        await raise_grant(batch, self.grant.tenant, self.grant.id, acr=acr, amr=amr)


class AccountAccess:
    def __init__(self, access: ApiAccess, own: OwnFactors, database: Database) -> None:
        self._access = access
        self._own = own
        self._database = database

    async def reading(self, request: Request) -> GrantVisit:
        """Raises AccessDenied and BearerError (401, 403), Unavailable."""
        token = await self._access.require_person(request)
        grant = await find_grant(self._database, request.tenant.id, token.grant)
        visit = await self._own.visit(request, grant) if grant is not None else None
        if grant is None or visit is None:
            raise AccessDenied(401, "unauthorized", "The person is gone or disabled.", ('Bearer realm="identity"',))
        return GrantVisit(request, visit.person, grant, visit.factors, visit.now, grant)

    async def changing(self, request: Request) -> GrantVisit:
        """As `reading`; raises AccessDenied 401 with what sign-in it takes (RFC 9470 §3)."""
        visit = await self.reading(request)
        if visit.may_change and visit.grant.kind in _SIGNED_IN and not visit.grant.actor:
            return visit
        challenge = (
            f'Bearer error="insufficient_user_authentication", acr_values="{visit.wanted_acr}", max_age={FRESH_SECONDS}'
        )
        public = "Sign in again, with as many factors as acr_values says, and use the new access token."
        raise AccessDenied(401, "insufficient_user_authentication", public, (challenge,))


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """An empty object."""


def read_nothing(request: Request, passed_over: Mapping[str, Any] | None = None) -> None:
    """Refuse a body that says anything: about whom, the access token alone says. Raises IdentityError.

    `passed_over`: names of form fields that are taken and not read.
    """
    if not request.body:
        return
    if (request.header(b"content-type") or "").partition(";")[0].strip().lower() != FORM:
        read_body(request, Nothing)
    elif request.form().keys() - (passed_over or {}):
        raise IdentityError("invalid_syntax", "The body is not as expected.")
