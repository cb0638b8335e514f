"""Whom a backchannel request is about (OpenID CIBA Core §7.1): by login_hint, id_token_hint or login_hint_token.

`login_hint` is a username (`DOMAIN/user` too) or the verified email address of exactly one person. A
`login_hint_token` is a JWT that the client signed with a registered key for our issuer, with `iss`, `aud`, `exp`, and
one of `sub` (as its ID tokens have it), `username`, `email`.

Only an authenticated confidential client hears that somebody is unknown, as the specification demands; disabled
people are unknown too.
"""

from identity.authn.people import People, Person, store_unavailable
from identity.clock import Clock, seconds
from identity.domain.applications import Application
from identity.oauth2.approvals.ciba_request import SKEW, CibaRequest, signed_claims
from identity.oauth2.errors import OAuthError
from identity.oauth2.id_token_hint import read_hint
from identity.oauth2.shown_subjects import ShownSubjects
from identity.storage.configuration import TenantConfiguration
from identity.tokens.addresses import issuer_of
from identity.tokens.client_keys import ClientKeys
from identity.tokens.jose import Claims, InvalidToken, check_times
from identity.tokens.keyring import Keyring
from userstores.spi import StoreUnavailable

MAXIMUM_NAME = 320
_TYP = frozenset({None, "JWT"})


class CibaHints:
    def __init__(
        self,
        people: People,
        subjects: ShownSubjects,
        keyring: Keyring,
        client_keys: ClientKeys,
        base_url: str,
        clock: Clock,
    ) -> None:
        self._people = people
        self._subjects = subjects
        self._keyring = keyring
        self._client_keys = client_keys
        self._base_url = base_url
        self._clock = clock

    async def find(self, tenant: TenantConfiguration, request: CibaRequest) -> Person:
        """The person. Raises OAuthError unknown_user_id and others; Unavailable when a directory is silent."""
        kind, value = request.hint
        try:
            if kind == "login_hint":
                person = await self._by_name(tenant, value)
            elif kind == "id_token_hint":
                person = await self._by_id_token(tenant, request.application, value)
            else:
                person = await self._by_token(tenant, request.application, value)
        except StoreUnavailable as error:
            raise store_unavailable(error) from None
        except InvalidToken as error:
            raise OAuthError("invalid_request", f"The {kind} is not valid.", detail=error.detail) from None
        if person is None or not person.user.enabled or not person.subject.enabled:
            raise OAuthError("unknown_user_id", "Nobody is known by that hint.")
        return person

    async def _by_name(self, tenant: TenantConfiguration, name: str) -> Person | None:
        if len(name) > MAXIMUM_NAME:
            return None
        found = await self._people.find_by_name(tenant, name)
        if "@" not in name:
            return found
        owner = await self._people.find_by_claims(tenant, {"email": name})
        # Whoever calls themselves by another's address must not be asked in their place.
        both = found is not None and owner is not None and found.subject.id != owner.subject.id
        return None if both else found or owner

    async def _by_id_token(self, tenant: TenantConfiguration, application: Application, hint: str) -> Person | None:
        """An expired one counts: it says who, not whether they still may."""
        claims = read_hint(self._keyring, self._base_url, tenant, hint)
        if claims["aud"] != application.client_id:
            raise InvalidToken("aud")
        sid = claims.get("sid")
        return await self._subjects.person(tenant, application, claims["sub"], sid if isinstance(sid, str) else None)

    async def _by_token(self, tenant: TenantConfiguration, application: Application, token: str) -> Person | None:
        claims = await self._verified(tenant, application, token)
        named = [name for name in ("sub", "username", "email") if name in claims]
        if len(named) != 1 or not isinstance(claims[named[0]], str):
            raise InvalidToken("it must have exactly one of sub, username, email")
        value: str = claims[named[0]]
        if named == ["sub"]:
            return await self._subjects.person(tenant, application, value, None)
        if named == ["email"]:
            return await self._people.find_by_claims(tenant, {"email": value[:MAXIMUM_NAME]})
        return await self._people.find_by_name(tenant, value[:MAXIMUM_NAME])

    async def _verified(self, tenant: TenantConfiguration, application: Application, token: str) -> Claims:
        claims = await signed_claims(
            self._client_keys, application, token, _TYP, issuer_of(self._base_url, tenant.tenant)
        )
        now = seconds(self._clock.now())
        try:
            check_times(claims, now, skew=SKEW)
        except InvalidToken as error:
            if error.detail == "exp: expired":
                raise OAuthError("expired_login_hint_token", "The login_hint_token has expired.") from None
            raise
        return claims
