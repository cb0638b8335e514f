"""Who may register, read, change and delete: an administrator, the holder of an initial access token, anybody where the
tenant is open, and each application itself by its registration access token (RFC 7591 §3, RFC 7592 §2)."""

import hmac
from dataclasses import dataclass

from identity.administration.context import Administration
from identity.administration.registration_tokens import INITIAL_PREFIX, REGISTRATION_PREFIX
from identity.authn.api_access import ApiAccess, Caller
from identity.domain.applications import Application
from identity.domain.management_scopes import MANAGEMENT_SCOPES
from identity.domain.registration import ANYBODY, RegistrationLimits
from identity.errors import IdentityError
from identity.oauth2.clients.registration_rate import RegistrationRate
from identity.registration.limits import limits_of
from identity.secrets import token_hash
from identity.storage import applications, initial_access_tokens
from identity.tokens.bearer import BearerError
from identity.web.messages import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Registrar:
    """Who calls. `limits` is None for administrators, who have none."""

    limits: RegistrationLimits | None = None
    name: str | None = None
    """Of an administrator: the subject or client id."""
    token: str | None = None
    """The registration access token that was presented."""
    initial: bytes | None = None
    """Hash of the initial access token, of which one use is counted already."""

    @property
    def administrator(self) -> bool:
        return self.limits is None


class Registrars:
    def __init__(self, access: ApiAccess, administration: Administration, rate: RegistrationRate) -> None:
        self._access = access
        self._administration = administration
        self._rate = rate

    async def of_new(self, request: Request) -> Registrar:
        """Who registers an application. Raises IdentityError 401, 403, 429."""
        token = _bearer(request)
        if token.startswith(INITIAL_PREFIX):
            return await self._by_initial_token(request, token)
        try:
            return await self._administrator(request)
        except IdentityError as error:
            unknown = error.status == 401 and request.header(b"authorization") is None
            if not unknown or request.tenant.settings.registration != "open":
                raise
        self._rate.count(request)
        return Registrar(limits=ANYBODY)

    async def of_present(self, request: Request, client_id: str) -> tuple[Registrar, Application]:
        """Who deals with this application, and the application. Raises IdentityError 401, 403; 404 tells
        administrators only that it is unknown."""
        token = _bearer(request)
        if not token.startswith(REGISTRATION_PREFIX):
            caller = await self._access.require(request)
            found = await self._find(request, client_id)
            if found is None:
                raise IdentityError("not_found", "There is no application with this client_id.", status=404)
            _require_no_less(caller, found)
            return _registrar(caller), found
        found = await self._find(request, client_id)
        expected = found.registration_token if found is not None and found.enabled else None
        # RFC 7592 §2.1: 401 also where the client does not exist (any more).
        if found is None or expected is None or not hmac.compare_digest(expected, token_hash(token)):
            raise BearerError(401, "invalid_token", "The registration access token is not valid for this client.")
        return Registrar(limits=limits_of(found), token=token), found

    async def require_administrator(self, request: Request, found: Application | None = None) -> None:
        """With `found`, one who may deal with this application. Raises IdentityError 401, 403."""
        caller = await self._access.require(request)
        if found is not None:
            _require_no_less(caller, found)

    async def give_back(self, request: Request, registrar: Registrar) -> None:
        """A refused registration uses up nothing."""
        if registrar.initial is not None:
            async with self._administration.database.transaction() as transaction:
                await initial_access_tokens.give_use_back(transaction, request.tenant.id, registrar.initial)

    async def _administrator(self, request: Request) -> Registrar:
        return _registrar(await self._access.require(request))

    async def _by_initial_token(self, request: Request, token: str) -> Registrar:
        hash = token_hash(token)
        limits = None
        if request.tenant.settings.registration != "closed":
            limits = await initial_access_tokens.take_use(
                self._administration.database, request.tenant.id, hash, self._administration.clock.now()
            )
        if limits is None:
            raise BearerError(401, "invalid_token", "The initial access token is not valid: unknown, expired, used up.")
        return Registrar(limits=limits, initial=hash)

    async def _find(self, request: Request, client_id: str) -> Application | None:
        return await applications.find_application(self._administration.database, request.tenant.id, client_id)


def _registrar(caller: Caller) -> Registrar:
    own = caller.application.client_id if caller.application is not None else None
    return Registrar(name=caller.subject or own)


def _require_no_less(caller: Caller, application: Application) -> None:
    """Attack class 23: whoever reads an application's secret, or changes where its codes go, can do what it can do."""
    needed = set(application.management_scopes)
    if application.may_introspect_any:
        needed.add("internal_oauth2_introspect")
    if application.may_impersonate:
        needed |= MANAGEMENT_SCOPES.keys()
    if not caller.scopes >= needed:
        missing = min(needed - caller.scopes)
        raise IdentityError("forbidden", f"This application holds {missing}: you do not hold it yourself.", status=403)


def _bearer(request: Request) -> str:
    """The token of the Authorization header; empty without one, or with another scheme."""
    scheme, _, value = (request.header(b"authorization") or "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""
