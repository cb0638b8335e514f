"""Who may call our own interfaces (`Permission.API`): administration, SCIM, introspection, registration.

A caller shows an access token, Basic credentials of an application or a person, or the client certificate that a
tenant's settings map to a person. Whatever it is, it must grant one of the scopes that the route names.
"""

import base64
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

from identity.authn.remembered_people import KnownPerson, RememberedPeople
from identity.authn.role_grants import RoleGrantsOfPeople
from identity.domain.applications import Application
from identity.domain.management_scopes import LOGIN_SCOPE, MANAGEMENT_SCOPES, OWN_FACTORS_SCOPE, is_internal
from identity.domain.users import SubjectId
from identity.errors import IdentityError
from identity.storage.configuration import Configuration, ConfigurationMoved
from identity.tokens.addresses import issuer_of
from identity.tokens.bearer import BearerError, require_bearer
from identity.tokens.reader import AccessToken, TokenReader
from identity.web.messages import Headers, Request

AuthenticateClient = Callable[[Request, dict[str, str]], Awaitable[Application]]
"""`oauth2.clients.client_authentication`: raises IdentityError 401 when the credentials are not an application's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """`scopes` are all that the caller holds of our own interfaces, not only those that opened the door."""

    kind: Literal["person", "application"]
    scopes: frozenset[str]
    subject: SubjectId | None = None
    """Of a person."""
    application: Application | None = None
    """Which calls by itself, or to which the person's access token was issued."""

    @property
    def named(self) -> dict[str, str]:
        """Who it was, for the audit log."""
        names = {"by_person": self.subject or "", "by_application": self.application.id if self.application else ""}
        return {name: value for name, value in names.items() if value}


@dataclass(frozen=True, slots=True)
class PersonsToken:
    """An access token of a person, and the grant that it belongs to."""

    subject: SubjectId
    grant: str


class AccessDenied(IdentityError):
    """401 with the ways to authenticate (RFC 9110 §11.6.1), or 403 with the scopes that would do (RFC 6750 §3.1)."""

    def __init__(self, status: int, code: str, public: str, challenges: Collection[str], *, detail: str = "") -> None:
        super().__init__(code, public, detail=detail, status=status)
        self.headers: Headers = [(b"www-authenticate", challenge.encode()) for challenge in challenges]


def unauthenticated(detail: str = "") -> AccessDenied:
    """The same for every cause: no credentials, wrong ones, and those of somebody who is locked or gone."""
    return AccessDenied(
        401,
        "unauthorized",
        "Authenticate with an access token or with Basic credentials.",
        ('Basic realm="identity", charset="UTF-8"', 'Bearer realm="identity"'),
        detail=detail,
    )


class ApiAccess:
    def __init__(
        self,
        reader: TokenReader,
        configuration: Configuration,
        clients: AuthenticateClient,
        people: RememberedPeople,
        roles: RoleGrantsOfPeople,
        base_url: str,
    ) -> None:
        self._reader = reader
        self._configuration = configuration
        self._clients = clients
        self._people = people
        self._roles = roles
        self._base_url = base_url

    async def require(self, request: Request, *scopes: str) -> Caller:
        """The caller, who holds one of `scopes` (without any: those of the route).

        Raises AccessDenied and BearerError (401, 403), IdentityError 429 or 503, ConfigurationMoved.
        """
        wanted = scopes or request.route.scopes
        try:
            return await self._holder(request, wanted)
        except AccessDenied:
            if request.route.exact and (
                await self._configuration.load(request.tenant.tenant.handle) is not request.tenant
            ):
                # The refusal may rest on a role or certificate as they were cached.
                raise ConfigurationMoved from None
            raise

    async def require_person(self, request: Request) -> PersonsToken:
        """Whose access token it is, with one of the route's scopes (`Permission.ACCOUNT`).

        No password or certificate will do: they tell of no sign-in. Raises as `require` does.
        """
        await self._renew_tenant(request)
        token = await require_bearer(self._reader, request)
        caller = await self._of_token(request, token)
        _demand(caller, request.route.scopes)
        if caller.subject is None or not token.grant:
            raise AccessDenied(403, "insufficient_scope", "This is about a person: an application has no account.", ())
        return PersonsToken(caller.subject, token.grant)

    async def _holder(self, request: Request, wanted: tuple[str, ...]) -> Caller:
        caller = await self.identify(request)
        _demand(caller, wanted)
        return caller

    async def _renew_tenant(self, request: Request) -> None:
        """Pages work with a tenant up to a second old; who administers hears of no right that was just taken away."""
        tenant = await self._configuration.load(request.tenant.tenant.handle)
        if tenant is None:
            raise ConfigurationMoved
        request.tenant = tenant

    async def identify(self, request: Request) -> Caller:
        """Whoever calls, with what they hold; no scope is demanded."""
        if not request.route.exact:
            await self._renew_tenant(request)
        header = request.header(b"authorization")
        if header is None:
            person = await self._people.by_certificate(request)
            if person is None:
                raise unauthenticated("no credentials")
            return await self._person(request, person)
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "basic":
            return await self._basic(request, header, value.strip())
        return await self._of_token(request, await require_bearer(self._reader, request))

    async def may_be_person(self, request: Request, form: Collection[str]) -> bool:
        """Whether credentials that are no application's may be a person's, where applications come first.

        Those with the name of an application are not: a wrong client secret costs no password hash.
        """
        header = request.header(b"authorization")
        if header is None:
            return request.client_certificate is not None and "client_id" not in form
        scheme, _, value = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            name, _ = _credentials(value.strip())
        except AccessDenied:
            return False
        return await self._configuration.application(request.tenant, _client_id(name)) is None

    async def _of_token(self, request: Request, token: AccessToken) -> Caller:
        client_id = await self._configuration.client_id_of(request.tenant, token.application)
        application = await self._configuration.exact_application(request.tenant, client_id) if client_id else None
        if application is None or not self._is_for_us(request, token, application):
            raise BearerError(401, "invalid_token", "The access token is for another audience.")
        subject = SubjectId(token.state.subject) if token.subject else None
        scopes = await self._still_held(request, frozenset(token.scope.split()), application, subject)
        kind: Literal["person", "application"] = "application" if subject is None else "person"
        return Caller(kind=kind, scopes=scopes, subject=subject, application=application)

    async def _still_held(
        self, request: Request, scopes: frozenset[str], application: Application, subject: SubjectId | None
    ) -> frozenset[str]:
        """The token's, without what was taken from its application or person since: a right over our own interfaces
        does not wait for the token to expire."""
        ours = frozenset(scope for scope in scopes if is_internal(scope))
        held = ours.intersection(application.management_scopes)
        if subject is not None:
            own = held & {OWN_FACTORS_SCOPE} | {LOGIN_SCOPE}
            if held:
                held = await self._roles.scopes(request.tenant, subject, held)
            held |= own
        return (scopes - ours) | (ours & held)

    def _is_for_us(self, request: Request, token: AccessToken, application: Application) -> bool:
        """Decision 4: a token that was asked for with `resource` is for that API, not for ours."""
        tenant = request.tenant
        ours = {application.client_id, issuer_of(self._base_url, tenant.tenant), tenant.settings.default_resource}
        return not ours.isdisjoint(token.audience)

    async def _basic(self, request: Request, header: str, value: str) -> Caller:
        name, password = _credentials(value)
        person = await self._people.remembered(request, header)
        if person is None:
            application = await self._application(request, name)
            if application is not None:
                return Caller(
                    kind="application", scopes=frozenset(application.management_scopes), application=application
                )
            person = await self._people.by_password(request, header, name, password)
        if person is None:
            raise unauthenticated("wrong credentials")
        return await self._person(request, person)

    async def _application(self, request: Request, name: str) -> Application | None:
        """The application whose Basic credentials these are. A person may bear the name of an application."""
        known = await self._configuration.exact_application(request.tenant, _client_id(name))
        if known is None or known.public:
            return None
        try:
            return await self._clients(request, {})
        except IdentityError as error:
            if error.status == 401 or error.code == "invalid_request":
                return None
            raise

    async def _person(self, request: Request, person: KnownPerson) -> Caller:
        scopes = await self._roles.scopes(
            request.tenant, person.subject.id, MANAGEMENT_SCOPES.keys(), groups=person.groups
        )
        # Everybody may see to their own account.
        return Caller(kind="person", scopes=scopes | {LOGIN_SCOPE}, subject=person.subject.id)


def _demand(caller: Caller, wanted: tuple[str, ...]) -> None:
    if caller.scopes.isdisjoint(wanted):
        names = " ".join(wanted)
        challenge = f'Bearer realm="identity", error="insufficient_scope", scope="{names}"'
        raise AccessDenied(403, "insufficient_scope", f"This needs one of the scopes: {names}.", (challenge,))


def _client_id(name: str) -> str:
    """RFC 6749 §2.3.1: a client id is form-urlencoded in the header."""
    return unquote_to_bytes(name.replace("+", " ")).decode(errors="replace").replace("\0", "")


def _credentials(value: str) -> tuple[str, str]:
    """RFC 7617 §2: user-id and password, UTF-8. Raises AccessDenied."""
    try:
        name, separator, password = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:  # binascii.Error and UnicodeDecodeError are both
        raise unauthenticated("malformed Basic") from None
    if not separator or not name or not password or "\0" in name + password:
        raise unauthenticated("malformed Basic")
    return name, password
