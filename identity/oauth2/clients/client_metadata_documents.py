"""Client ID metadata documents: a client_id that is the https address of the client's metadata.

draft-ietf-oauth-client-id-metadata-document, switched on by a tenant's `client_id_metadata_documents`. What the
document says becomes an application of the tenant like any other, so that consents, grants and revocation work on it;
an administrator can disable that. A code is asked for with the document as it is now, within the bounds of its
caching; tokens go on with the application as it was stored then.
"""

import asyncio
import re
from collections import OrderedDict
from typing import Any
from urllib.parse import unquote, urlsplit

from identity.administration.applications import create_application, update_application
from identity.administration.context import Administration
from identity.clock import SECOND
from identity.config import Purpose
from identity.domain.applications import Application
from identity.domain.registration import RegistrationLimits
from identity.errors import IdentityError
from identity.messaging.guarded_client import GuardedClient
from identity.messaging.targets import BadAddress, read_target
from identity.oauth2.clients.client_metadata import (
    Metadata,
    invalid_metadata,
    origins_of,
    read_client_metadata,
    refusal,
    require_consistent,
)
from identity.oauth2.clients.client_urls import check_urls, require_sector
from identity.oauth2.clients.registration_rate import RegistrationRate
from identity.oauth2.errors import OAuthError
from identity.storage.applications import find_application
from identity.storage.configuration import TenantConfiguration
from identity.tokens.claims import IDENTITY_SCOPES
from identity.tokens.compact import InvalidToken, parse_object
from identity.web.messages import Request

LIMITS = RegistrationLimits(grant_types=("authorization_code", "refresh_token"), response_types=("code",))
METHODS = ("none", "private_key_jwt")
MAXIMUM_BYTES = 16_384
MAXIMUM_ID = 1000
SHORTEST, LONGEST = 300 * SECOND, 86400 * SECOND
"""Microseconds that a document is used without looking again, whatever its headers say (RFC 9111 §5.2.2)."""
FAILURE_KEPT = 10 * SECOND
MAXIMUM_KNOWN = 10_000

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?([0-9]{1,9})\"?(?:$|[\s,])")
_SECRETS = ("client_secret", "client_secret_expires_at")


class ClientMetadataDocuments:
    def __init__(self, administration: Administration, client: GuardedClient, rate: RegistrationRate) -> None:
        self._administration = administration
        self._client = client
        self._rate = rate
        self._clock = administration.clock
        self._good_until: OrderedDict[tuple[int, str], int] = OrderedDict()
        self._failures: OrderedDict[tuple[int, str], tuple[int, IdentityError]] = OrderedDict()
        self._under_way: dict[tuple[int, str], asyncio.Task[None]] = {}

    async def ensure(self, request: Request, client_id: str) -> None:
        """Before a request for authorization looks its client up: see to it that the application is there, as its
        document says. Raises OAuthError invalid_client when the document cannot be used; other ids pass."""
        if not client_id.startswith("https://"):
            return
        tenant = request.tenant
        switched_on = tenant.settings.client_id_metadata_documents
        key, now = (tenant.id, client_id), self._clock.now()
        if switched_on and self._good_until.get(key, 0) > now:
            return
        present = await find_application(self._administration.database, tenant.id, client_id)
        if present is not None and present.registered_by != "metadata_document":
            return
        if not switched_on:
            raise _unusable("This server takes no client_id that is an address.")
        until, failure = self._failures.get(key, (0, None))
        if failure is not None and until > now:
            # Each time it is raised it would keep the stack, and with it the request, of that time as well.
            raise failure.with_traceback(None)
        if present is None:
            self._rate.count(request)
        await self._read_once(tenant, client_id)

    async def _read_once(self, tenant: TenantConfiguration, client_id: str) -> None:
        """Whoever comes while the document is read waits for that; going away takes it from nobody."""
        key = (tenant.id, client_id)
        if key not in self._under_way:
            self._under_way[key] = asyncio.create_task(self._read(tenant, client_id))
        await asyncio.shield(self._under_way[key])

    async def _read(self, tenant: TenantConfiguration, client_id: str) -> None:
        key = (tenant.id, client_id)
        try:
            document, lifetime = await self._fetch(client_id)
            values = _fields(document, client_id)
            check_urls(self._client, values)
            await require_sector(self._client, values)
            await self._store(tenant, client_id, values)
            _keep(self._good_until, key, self._clock.now() + lifetime)
        except IdentityError as error:
            failure = error
            if error.code in ("invalid_client_metadata", "invalid_redirect_uri"):
                failure = _unusable(f"The document at the client_id cannot be used. {error.public}")
            _keep(self._failures, key, (self._clock.now() + FAILURE_KEPT, failure))
            raise failure from None
        finally:
            self._under_way.pop(key, None)

    async def _fetch(self, client_id: str) -> tuple[Metadata, int]:
        """The document, and for how many microseconds it is good."""
        problem = client_id_problem(client_id) or self._client.check_url(client_id, Purpose.CLIENT_METADATA)
        if problem is not None:
            raise _unusable(f"The client_id cannot be an address of client metadata. {problem}")
        try:
            answer = await self._client.fetch(
                client_id,
                purpose=Purpose.CLIENT_METADATA,
                headers=[("Accept", "application/json")],
                limit=MAXIMUM_BYTES,
            )
        except IdentityError as error:
            raise _unusable("The document at the client_id could not be fetched.", detail=error.detail) from None
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if answer.status != 200 or not (media_type == "application/json" or media_type.endswith("+json")):
            raise _unusable("There is no JSON document at the client_id: it must be answered with status 200.")
        try:
            return parse_object(answer.body), lifetime_of(answer.headers.get("cache-control", ""))
        except InvalidToken:
            raise _unusable("The document at the client_id is not a JSON object with distinct members.") from None

    async def _store(self, tenant: TenantConfiguration, client_id: str, values: dict[str, Any]) -> None:
        administration = self._administration
        present = await find_application(administration.database, tenant.id, client_id)
        try:
            if present is None:
                await create_application(
                    administration,
                    tenant.tenant,
                    client_id=client_id,
                    registered_by="metadata_document",
                    registration_limits=LIMITS,
                    **values,
                )
            elif _differs(present, values):
                await update_application(administration, tenant.tenant, client_id, values)
        except IdentityError as error:
            if error.code == "conflict":  # another worker was first, with the same document
                return
            raise refusal(error.public) if error.code in ("invalid_application", "invalid_setting") else error from None


def client_id_problem(client_id: str) -> str | None:
    """Why this cannot be a client_id of this kind (§3 of the draft), as a sentence; None when it can."""
    try:
        target = read_target(client_id)
    except BadAddress as error:
        return str(error)
    path = urlsplit(client_id).path
    if target.scheme != "https" or len(client_id) > MAXIMUM_ID:
        return f"It must be an https address of at most {MAXIMUM_ID} characters."
    if not path or "#" in client_id:
        return "It must have a path, and no fragment."
    if {".", ".."} & set(unquote(path).replace("\\", "/").split("/")):
        return "Its path must not have dot segments."
    if target.url != client_id:
        return f"It must be in its normal form: {target.url}."
    return None


def _fields(document: Metadata, client_id: str) -> dict[str, Any]:
    """Fields of `Application`. A document is written for many servers: what we do not give it is left out."""
    # §4.1 of the draft: simple string comparison; nobody publishes a secret.
    if document.get("client_id") != client_id:
        raise invalid_metadata("client_id in it must be the address it was fetched from.")
    if any(name in document for name in _SECRETS):
        raise invalid_metadata("It must not contain a client secret.")
    # Resource servers that know nobody here cannot ask us about a token: it says what it is good for itself.
    values = read_client_metadata(document) | {"software_statement": None, "access_token_type": "jwt"}
    if values.setdefault("token_endpoint_auth_method", "none") not in METHODS:
        raise invalid_metadata(f"token_endpoint_auth_method must be {' or '.join(METHODS)}.")
    values["grant_types"] = tuple(each for each in values["grant_types"] if each in LIMITS.grant_types)
    values["response_types"] = tuple(each for each in values["response_types"] if each in LIMITS.response_types)
    if "authorization_code" not in values["grant_types"] or "code" not in values["response_types"]:
        raise invalid_metadata("grant_types and response_types must have authorization_code and code among them.")
    values["scopes"] = tuple(scope for scope in values["scopes"] if scope in IDENTITY_SCOPES)
    values["authorization_details_types"] = ()
    values.setdefault("name", urlsplit(client_id).netloc)
    require_consistent(values)
    if values["token_endpoint_auth_method"] == "none":
        values["web_origins"] = origins_of(values["redirect_uris"])
    return values


def lifetime_of(cache_control: str) -> int:
    """Microseconds that a document is good for by this header, within SHORTEST and LONGEST."""
    directives = cache_control.lower()
    age = _MAX_AGE.search(directives)
    if age is None or "no-store" in directives or "no-cache" in directives:
        return SHORTEST
    return min(max(int(age[1]) * SECOND, SHORTEST), LONGEST)


def _differs(present: Application, values: dict[str, Any]) -> bool:
    return any(getattr(present, name) != value for name, value in values.items())


def _unusable(public: str, *, detail: str = "") -> OAuthError:
    return OAuthError("invalid_client", public, detail=detail)


def _keep(known: OrderedDict[tuple[int, str], Any], key: tuple[int, str], value: Any) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > MAXIMUM_KNOWN:
        known.popitem(last=False)
