"""Identity assertion authorization grant (ID-JAG), as receiver. Preview: off by default and not in the metadata.

draft-ietf-oauth-identity-assertion-authz-grant §4: the identity provider that a company's applications share says that
one of them may call another for a person. It comes by the jwt-bearer grant with the type `oauth-id-jag+jwt`.
"""

from dataclasses import dataclass

from identity.authn.people import Person
from identity.oauth2.authorization_details import invalid as invalid_details
from identity.oauth2.errors import OAuthError
from identity.oauth2.grants import TokenCall
from identity.oauth2.resources import allowed_resources, invalid_target
from identity.oauth2.trusted_assertions import TrustedAssertions
from identity.storage.database import Database
from identity.tokens.jose import Claims, InvalidToken

TYP = "oauth-id-jag+jwt"
MAXIMUM_AGE = 600


@dataclass(frozen=True, slots=True)
class IdentityAssertion:
    """What the identity provider allows: scope and resources come from the assertion and are at most narrowed."""

    person: Person
    claims: Claims
    scope: str
    resources: tuple[str, ...]


class IdentityAssertions:
    def __init__(self, trusted: TrustedAssertions, database: Database) -> None:
        self._trusted = trusted
        self._database = database

    async def read(self, call: TokenCall, assertion: str) -> IdentityAssertion:
        """Raises InvalidToken; OAuthError for a request beyond what is asserted."""
        if not call.tenant.settings.identity_assertions:
            raise InvalidToken("identity assertions are switched off")
        found = await self._trusted.read(call, assertion, frozenset({TYP}), maximum_age=MAXIMUM_AGE)
        claims = found.claims
        if not found.issuer.identity_assertions:
            raise InvalidToken("the issuer is not trusted for identity assertions")
        # Draft §4.3: the client the assertion was issued to, and no other, presents it.
        if call.application.public or claims.get("client_id") != call.application.client_id:
            raise InvalidToken("client_id")
        # Draft §4.1: jti, iat and exp are required; so is the subject.
        if not isinstance(claims.get("jti"), str) or not claims["jti"] or "iat" not in claims:
            raise InvalidToken("jti or iat")
        person = await self._trusted.person(call.tenant, found)
        if person is None:
            raise InvalidToken("no account here")
        return IdentityAssertion(person, claims, _scope(call, claims), await self._resources(call, claims))

    async def _resources(self, call: TokenCall, claims: Claims) -> tuple[str, ...]:
        if call.authorization_details:
            raise invalid_details("An identity assertion gives none.")
        asserted = _texts(claims, "resource")
        if not asserted:
            return call.resources
        if not set(asserted).issuperset(call.resources):
            raise invalid_target("A resource goes beyond those of the assertion.")
        if call.resources:
            return call.resources
        return await allowed_resources(self._database, call.tenant, call.application, " ".join(asserted))


def _scope(call: TokenCall, claims: Claims) -> str:
    asserted = claims.get("scope", "")
    if not isinstance(asserted, str):
        raise InvalidToken("scope")
    asked = call.form.get("scope")
    if asked is None:
        return asserted
    if not set(asserted.split()).issuperset(asked.split()):
        raise OAuthError("invalid_scope", "The scope goes beyond that of the assertion.")
    return asked


def _texts(claims: Claims, name: str) -> list[str]:
    value = claims.get(name, [])
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) and " " not in item for item in listed):
        raise InvalidToken(name)
    return listed
