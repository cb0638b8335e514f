"""Which of the scopes asked for are granted (RFC 6749 §3.3, wso2-contracts §6.2). What is not is left out silently."""

from collections.abc import Iterable

from identity.authn.role_grants import RoleGrantsOfPeople, ScopeBook
from identity.domain.api_resources import is_scope_token
from identity.domain.applications import Application
from identity.domain.management_scopes import LOGIN_SCOPE, OWN_FACTORS_SCOPE, is_internal
from identity.domain.users import SubjectId
from identity.oauth2.errors import OAuthError
from identity.storage.configuration import Configuration, ConfigurationMoved, TenantConfiguration
from identity.tokens.claims import IDENTITY_SCOPES

MAXIMUM_SCOPES = 200
_OF_PEOPLE = frozenset(IDENTITY_SCOPES)


class ScopePolicy:
    """An application without API resources, and a request without unknown scopes, cost nothing here."""

    def __init__(self, configuration: Configuration, roles: RoleGrantsOfPeople) -> None:
        self._configuration = configuration
        self._roles = roles

    async def allowed(
        self, tenant: TenantConfiguration, application: Application, subject: str | None, asked: Iterable[str]
    ) -> list[str]:
        """Those of `asked` that the application gets for this person, or for itself (`subject` None), in their order.

        For an application itself the tenant may be older than the database, as the caller compares versions
        afterwards; for a person it is read anew. Raises OAuthError invalid_scope for too many, Unavailable when a
        directory that has to be asked for groups does not answer.
        """
        names = list(dict.fromkeys(asked))
        if len(names) > MAXIMUM_SCOPES:
            raise OAuthError("invalid_scope", "There are too many scopes.")
        unknown = [name for name in names if not _plainly_allowed(application, subject, name)]
        if not unknown:
            return names
        candidates = [name for name in unknown if _may_be_granted(tenant, application, subject, name)]
        granted = await self._granted(tenant, application, subject, candidates) if candidates else frozenset[str]()
        refused = set(unknown) - granted
        return [name for name in names if name not in refused]

    async def _granted(
        self, tenant: TenantConfiguration, application: Application, subject: str | None, names: list[str]
    ) -> frozenset[str]:
        if tenant.settings.authorize_all_scopes:
            granted = frozenset(name for name in names if not is_internal(name))
            if len(granted) == len(names):
                return granted
        else:
            granted = frozenset()
        if subject is not None:
            # Who changes a role or scope raises the tenant's version: pages work with one up to a second old.
            current = await self._configuration.load(tenant.tenant.handle)
            if current is None:
                raise ConfigurationMoved
            tenant = current
        book = await self._roles.book(tenant)
        free, by_role = _by_policy(application, book, [name for name in names if name not in granted])
        if subject is None:
            return granted | free | by_role
        by_role |= {name for name in names if is_internal(name)}
        organization = application.allowed_audience == "organization"
        of_roles = await self._roles.scopes(
            tenant,
            SubjectId(subject),
            {name for name in by_role if not is_internal(name)},
            audience_type=application.allowed_audience,
            audience="" if organization else application.id,
        )
        # Our own interfaces are the organization's, whatever roles count for the application.
        of_roles |= await self._roles.scopes(
            tenant, SubjectId(subject), {name for name in by_role if is_internal(name)}
        )
        return granted | free | of_roles


def _plainly_allowed(application: Application, subject: str | None, name: str) -> bool:
    """What needs neither API resource nor role: scopes about people for people, and the application's own."""
    if name in _OF_PEOPLE:
        return subject is not None
    if is_internal(name):
        # All that is known about a person is not for strangers' applications, which show a name at consent.
        known = application.registered_by == "administrator"
        given = name in application.management_scopes
        if subject is None:
            return given
        return known and (name == LOGIN_SCOPE or (name == OWN_FACTORS_SCOPE and given))
    # An application that registered itself does not get an API's scope by naming it as its own.
    return name in application.scopes and application.registered_by == "administrator"


def _may_be_granted(tenant: TenantConfiguration, application: Application, subject: str | None, name: str) -> bool:
    if name in _OF_PEOPLE:
        return False
    if is_internal(name):
        # A person's management scopes go only through an application that may use them: a consent gives them to no
        # other one.
        return subject is not None and name in application.management_scopes
    if tenant.settings.authorize_all_scopes and is_scope_token(name):
        return True
    return name in application.scopes or any(name in api.scopes for api in application.authorized_apis)


def _by_policy(application: Application, book: ScopeBook, names: list[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Of `names`, those granted to the application for whomever, and those that a person's role has to grant too."""
    free: set[str] = set()
    by_role: set[str] = set()
    for name in names:
        api = book.apis.get(name)
        if api is None:
            if name in application.scopes:
                free.add(name)
            continue
        for authorized in application.authorized_apis:
            if authorized.api == api and name in authorized.scopes:
                (by_role if authorized.policy == "RBAC" else free).add(name)
    return frozenset(free), frozenset(by_role - free)
