"""`/api/identity/oauth2/dcr/v1.1/register`: one door for RFC 7591, RFC 7592 and the DCR of wso2-contracts §7.2."""

import hmac
from typing import Any

from identity.administration.applications import (
    RegisteredApplication,
    add_client_secret,
    create_application,
    delete_application,
    read_client_secret,
    update_application,
)
from identity.administration.context import Administration
from identity.administration.registration_tokens import new_registration_token
from identity.clock import seconds
from identity.domain.applications import SECRET_METHODS, Application
from identity.errors import IdentityError
from identity.ids import new_id
from identity.oauth2.clients.client_metadata import (
    NAMES,
    Metadata,
    invalid_metadata,
    refusal,
    show_client_metadata,
)
from identity.registration.registered_metadata import MetadataReader
from identity.registration.registrars import Registrar, Registrars
from identity.registration.wso2_extensions import NAMES as EXTENSION_NAMES
from identity.registration.wso2_extensions import read_preset, show_extensions
from identity.secrets import token_hash
from identity.storage import applications
from identity.tokens.addresses import base_of
from identity.tokens.compact import InvalidToken, parse_object
from identity.web.messages import Request, Response, json_response

_NAMES = {**NAMES, **EXTENSION_NAMES}
PATH = "/api/identity/oauth2/dcr/v1.1/register"


class RegistrationEndpoint:
    def __init__(
        self, administration: Administration, registrars: Registrars, metadata: MetadataReader, base_url: str
    ) -> None:
        self._administration = administration
        self._registrars = registrars
        self._metadata = metadata
        self._base_url = base_url

    async def create(self, request: Request) -> Response:
        """POST (RFC 7591 §3.1): 201 with the credentials."""
        registrar = await self._registrars.of_new(request)
        try:
            registered, token = await self._create(request, registrar)
        except IdentityError:
            await self._registrars.give_back(request, registrar)
            raise
        secret = None if registered.secret is None else str(registered.secret)
        return json_response(201, self._information(request, registered.application, secret, token))

    async def _create(self, request: Request, registrar: Registrar) -> tuple[RegisteredApplication, str]:
        document = _document(request)
        preset = read_preset(document, administrator=registrar.administrator)
        values = await self._metadata.read(request.tenant, document, None, registrar.limits)
        if registrar.administrator:
            values.setdefault("owner", registrar.name)
        if preset.client_secret and values.get("token_endpoint_auth_method") not in (None, *SECRET_METHODS):
            raise invalid_metadata("ext_param_client_secret: this client does not authenticate with a secret.")
        client_id, token = preset.client_id or new_id(), new_registration_token()
        try:
            registered = await create_application(
                self._administration,
                request.tenant.tenant,
                # RFC 7591 §2: without a name, people are shown the raw client_id.
                name=values.pop("name", client_id),
                client_id=client_id,
                client_secret=preset.client_secret,
                registered_by="administrator" if registrar.administrator else "registration",
                registration_limits=registrar.limits,
                registration_token=token_hash(token),
                **values,
            )
        except IdentityError as error:
            raise _told(error) from None
        return registered, str(token)

    async def find(self, request: Request) -> Response:
        """GET `?client_name=`: the newest application of this name, for administrators."""
        await self._registrars.require_administrator(request)
        name = request.query().get("client_name")
        if name is None:
            raise IdentityError("invalid_request", "The parameter client_name is missing.")
        database = self._administration.database
        found = await applications.find_application_by_name(database, request.tenant.id, name)
        if found is None:
            raise IdentityError("not_found", "There is no application of this name.", status=404)
        await self._registrars.require_administrator(request, found)
        return json_response(200, self._information(request, found, self._secret_of(found), None))

    async def read(self, request: Request) -> Response:
        """GET (RFC 7592 §2.1), with the secret (decision 15)."""
        registrar, found = await self._registrars.of_present(request, request.path_value)
        return json_response(200, self._information(request, found, self._secret_of(found), registrar.token))

    async def update(self, request: Request) -> Response:
        """PUT (RFC 7592 §2.2): what is left out is taken away; checked as a registration is."""
        registrar, present = await self._registrars.of_present(request, request.path_value)
        document = _document(request)
        self._require_same_client(document, present, registrar)
        values = await self._metadata.read(request.tenant, document, present, registrar.limits)
        tenant = request.tenant.tenant
        try:
            changed = await update_application(self._administration, tenant, present.client_id, values)
            if changed.token_endpoint_auth_method in SECRET_METHODS and not changed.secrets:
                await add_client_secret(self._administration, tenant, changed.client_id)
                found = await applications.find_application(self._administration.database, tenant.id, changed.client_id)
                changed = found or changed
        except IdentityError as error:
            raise _told(error) from None
        return json_response(200, self._information(request, changed, self._secret_of(changed), registrar.token))

    async def delete(self, request: Request) -> Response:
        """DELETE (RFC 7592 §2.3): the client, its tokens and its registration access token are dead at once."""
        _, found = await self._registrars.of_present(request, request.path_value)
        await delete_application(self._administration, request.tenant.tenant, found.client_id)
        return Response(204, headers=[(b"cache-control", b"no-store"), (b"pragma", b"no-cache")])

    def _require_same_client(self, document: Metadata, present: Application, registrar: Registrar) -> None:
        # RFC 7592 §2.2: client_id must be there and the same, client_secret must not be overwritten. The update of
        # DCR v1.1 has neither.
        client_id, secret = document.get("client_id"), document.get("client_secret")
        if client_id != present.client_id and not (client_id is None and registrar.administrator):
            raise invalid_metadata("client_id must be the one that is in the address.")
        if secret is not None and not _same(secret, self._secret_of(present)):
            raise invalid_metadata("client_secret must be the present one, or left out: it cannot be chosen.")
        preset = read_preset(document, administrator=registrar.administrator)
        if preset.client_id not in (None, present.client_id) or not (
            preset.client_secret is None or _same(preset.client_secret, self._secret_of(present))
        ):
            raise invalid_metadata("ext_param_client_id and ext_param_client_secret cannot change a registration.")

    def _secret_of(self, application: Application) -> str | None:
        if application.token_endpoint_auth_method not in SECRET_METHODS:
            return None
        return read_client_secret(self._administration, application)

    def _information(
        self, request: Request, application: Application, secret: str | None, token: str | None
    ) -> dict[str, Any]:
        """The client information response (RFC 7591 §3.2.1, RFC 7592 §3)."""
        expires_at = application.secrets[0].expires_at if application.secrets else None
        base = base_of(self._base_url, request.tenant.tenant)
        information: dict[str, Any] = {
            "client_id": application.client_id,
            "client_id_issued_at": seconds(application.created_at),
            "client_secret": secret,
            "client_secret_expires_at": 0 if expires_at is None else seconds(expires_at),
            "registration_access_token": token,
            "registration_client_uri": f"{base}{PATH}/{application.client_id}",
        }
        told = {name: value for name, value in information.items() if value is not None}
        return told | show_client_metadata(application) | show_extensions(application)


def _document(request: Request) -> dict[str, Any]:
    """The body: a JSON object without repeated members. Raises OAuthError."""
    media_type = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise invalid_metadata("Send the client metadata as application/json.")
    try:
        return parse_object(request.body)
    except InvalidToken as error:
        raise invalid_metadata(
            "The body must be a JSON object in UTF-8 whose members are all different.", detail=error.detail
        ) from None


def _told(error: IdentityError) -> IdentityError:
    """What `administration` refused, with the codes of RFC 7591 §3.2.2."""
    if error.code == "conflict":
        return invalid_metadata("ext_param_client_id: there is an application with this client_id already.")
    if error.code in ("invalid_application", "invalid_setting"):
        return refusal(error.public, _NAMES)
    if error.code == "weak_secret":
        return invalid_metadata(f"ext_param_client_secret: {error.public}")
    return error


def _same(given: object, present: str | None) -> bool:
    return isinstance(given, str) and present is not None and hmac.compare_digest(given.encode(), present.encode())
