"""Trusted token issuers: registered, changed, forgotten."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from identity.administration.context import Administration
from identity.administration.typed_values import typed_values
from identity.domain.events import Event, EventType
from identity.domain.trusted_issuers import LOOKUP_CLAIMS, TrustedIssuer, TrustedIssuerId
from identity.errors import IdentityError
from identity.ids import new_id
from identity.storage import trusted_issuers
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Writer
from identity.storage.events import record
from identity.tokens.jose import jwks_problem
from identity.tokens.pem_keys import jwks_of_pem

MAXIMUM_LIFETIME = 86_400


async def create_trusted_issuer(
    administration: Administration, tenant: TenantConfiguration, *, name: str, issuer: str, **settings: Any
) -> TrustedIssuer:
    """Trust the tokens of an issuer. `certificate` takes PEM in place of `jwks`. Raises IdentityError, Conflict."""
    made = _checked(TrustedIssuer(id=TrustedIssuerId(new_id()), name=name, issuer=issuer), settings)
    await _require_free_name(administration, tenant, made)
    now = administration.clock.now()
    async with administration.database.transaction() as transaction:
        await trusted_issuers.insert_trusted_issuer(transaction, tenant.id, made, now)
        await _record(transaction, administration, tenant, EventType.ISSUER_TRUSTED, made)
    return made


async def update_trusted_issuer(
    administration: Administration, tenant: TenantConfiguration, name: str, settings: dict[str, Any]
) -> TrustedIssuer:
    """Change the settings that are given. Raises IdentityError, Conflict."""
    known = await require_trusted_issuer(administration, tenant, name)
    if settings.keys() & {"jwks", "certificate", "jwks_uri"}:
        known = replace(known, jwks=None, jwks_uri=None)
    changed = _checked(known, settings)
    await _require_free_name(administration, tenant, changed)
    async with administration.database.transaction() as transaction:
        await trusted_issuers.update_trusted_issuer(transaction, tenant.id, changed)
        await _record(transaction, administration, tenant, EventType.ISSUER_UPDATED, changed)
    return changed


async def delete_trusted_issuer(administration: Administration, tenant: TenantConfiguration, name: str) -> None:
    """Its tokens are refused from now on; what they were exchanged for goes on until it ends."""
    known = await require_trusted_issuer(administration, tenant, name)
    async with administration.database.transaction() as transaction:
        await trusted_issuers.delete_trusted_issuer(transaction, tenant.id, known)
        await _record(transaction, administration, tenant, EventType.ISSUER_FORGOTTEN, known)


async def require_trusted_issuer(
    administration: Administration, tenant: TenantConfiguration, name: str
) -> TrustedIssuer:
    found = await trusted_issuers.find_trusted_issuer_by_name(administration.database, tenant.id, name)
    if found is None:
        raise IdentityError("unknown_issuer", f"There is no trusted issuer {name!r}.", status=404)
    return found


async def _require_free_name(
    administration: Administration, tenant: TenantConfiguration, issuer: TrustedIssuer
) -> None:
    other = await trusted_issuers.find_trusted_issuer_by_name(administration.database, tenant.id, issuer.name)
    if other is not None and other.id != issuer.id:
        raise IdentityError("conflict", f"There is a trusted issuer {issuer.name!r} already.", status=409)
    if issuer.issuer == tenant.settings.issuer:
        raise IdentityError("invalid_issuer", "The tenant's own issuer needs no trust.")


def _checked(issuer: TrustedIssuer, settings: dict[str, Any]) -> TrustedIssuer:
    values = dict(settings)
    if values.get("certificate") is not None:
        try:
            values["jwks"] = jwks_of_pem(values["certificate"])
        except ValueError as error:
            raise IdentityError("invalid_issuer", f"certificate: {error}.") from None
    values.pop("certificate", None)
    if "id" in values:
        raise IdentityError("invalid_setting", "There is no setting 'id'.")
    changed = replace(issuer, **typed_values(TrustedIssuer, values))
    problem = _problem(changed)
    if problem:
        raise IdentityError("invalid_issuer", problem)
    return changed


def _problem(issuer: TrustedIssuer) -> str | None:
    if not 0 < len(issuer.name) <= 100 or not issuer.name.isprintable():
        return "The name must be 1 to 100 printable characters."
    if not 0 < len(issuer.issuer) <= 2048 or not issuer.issuer.isprintable():
        return "issuer must be the `iss` of its tokens, to the letter."
    if (issuer.jwks is None) == (issuer.jwks_uri is None):
        return "Give one of jwks, jwks_uri and certificate: without keys no token can be believed."
    if issuer.jwks is not None and (problem := jwks_problem(issuer.jwks)):
        return f"jwks: {problem}."
    if issuer.jwks_uri is not None and urlsplit(issuer.jwks_uri).scheme not in ("https", "http"):
        return "jwks_uri must be an https address."
    claims = issuer.lookup_claims
    if len(claims) > 2 or len(set(claims)) != len(claims) or not set(claims).issubset(LOOKUP_CLAIMS):
        return f"lookup_claims: one or two of {', '.join(LOOKUP_CLAIMS)}."
    if issuer.linked_account != "none" and not claims:
        return "lookup_claims: say by what an account is found, or set linked_account to none."
    if not 1 <= issuer.maximum_lifetime <= MAXIMUM_LIFETIME:
        return f"maximum_lifetime must be 1 to {MAXIMUM_LIFETIME} seconds."
    return None


async def _record(
    writer: Writer,
    administration: Administration,
    tenant: TenantConfiguration,
    event: EventType,
    issuer: TrustedIssuer,
) -> None:
    data = {"issuer": issuer.issuer, "name": issuer.name}
    await record(writer, Event(tenant=tenant.id, type=event, at=administration.clock.now(), data=data))
