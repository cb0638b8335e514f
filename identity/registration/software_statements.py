"""Software statements: client metadata that somebody trusted has signed (RFC 7591 §2.3)."""

from typing import Any

from identity.clock import Clock, seconds
from identity.domain.keys import SIGNING_ALGORITHMS
from identity.domain.trusted_issuers import TrustedIssuer
from identity.oauth2.clients.client_metadata import Metadata, invalid_metadata
from identity.oauth2.errors import OAuthError
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.storage.trusted_issuers import find_trusted_issuer
from identity.tokens.client_keys import ClientKeys
from identity.tokens.jose import Claims, InvalidToken, PublicKeys, check_times, kid_of, parse_object, peek

SKEW = 60
"""Seconds that the signer's clock may be off."""
_ALGORITHMS = frozenset(SIGNING_ALGORITHMS)
_TYP: frozenset[str | None] = frozenset({None, "JWT", "software-statement+jwt"})
# RFC 7591 §2.3: what is about the statement, and what a statement cannot tell about a client.
_NOT_METADATA = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "software_statement", "client_id"})


class SoftwareStatements:
    def __init__(self, database: Database, client_keys: ClientKeys, clock: Clock) -> None:
        self._database = database
        self._client_keys = client_keys
        self._clock = clock

    async def merged(self, tenant: TenantConfiguration, document: Metadata) -> Metadata:
        """The document with what its software statement says, which comes first (RFC 7591 §2.3).

        Raises OAuthError invalid_software_statement, unapproved_software_statement.
        """
        statement = document.get("software_statement")
        if statement is None:
            return document
        if not isinstance(statement, str):
            raise invalid_metadata("software_statement must be a JWT.")
        try:
            claims = await self._verified(tenant, statement)
        except InvalidToken as error:
            raise OAuthError(
                "invalid_software_statement",
                "The software statement is not a JWT that its issuer has signed and that is good now.",
                detail=error.detail,
            ) from None
        signed: dict[str, Any] = {name: value for name, value in claims.items() if not _is_of_the_statement(name)}
        return {**document, **signed}

    async def _verified(self, tenant: TenantConfiguration, statement: str) -> Claims:
        issuer = peek(statement).get("iss")
        if not isinstance(issuer, str):
            raise InvalidToken("no iss")
        trusted = await find_trusted_issuer(self._database, tenant.id, issuer)
        if trusted is None or not trusted.enabled or not trusted.software_statements:
            raise OAuthError(
                "unapproved_software_statement", "The issuer of the software statement is not trusted here."
            )
        keys = await self._keys(trusted, statement)
        _, claims = keys.verify(statement, _ALGORITHMS, _TYP)
        check_times(claims, seconds(self._clock.now()), skew=SKEW, require=())
        return claims

    async def _keys(self, issuer: TrustedIssuer, statement: str) -> PublicKeys:
        if issuer.jwks is not None:
            return PublicKeys(parse_object(issuer.jwks.encode()))
        if issuer.jwks_uri is None:
            raise InvalidToken("the issuer has no keys")
        return await self._client_keys.issuer_keys(issuer.jwks_uri, kid_of(statement))


def _is_of_the_statement(name: str) -> bool:
    """Fields of our own door are not an issuer's to set: they are an administrator's."""
    return name in _NOT_METADATA or name.startswith("ext_")
