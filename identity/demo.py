"""Demo mode: two people, an administrator, three applications and a sample application, on loopback only."""

import base64
import json
import os
from typing import Any

from identity.administration import applications, roles, users
from identity.administration.context import Administration
from identity.config import Settings
from identity.domain.applications import DEVICE_CODE, Application
from identity.domain.roles import ADMIN_ROLE
from identity.domain.tenants import ROOT_HANDLE
from identity.domain.users import SubjectId
from identity.oauth2.introspection_endpoint import IntrospectionEndpoint
from identity.storage.applications import find_application
from identity.storage.configuration import TenantConfiguration
from identity.storage.roles import roles_of_user
from identity.tokens.addresses import issuer_of
from identity.web.messages import Request, Response
from identity.web.pages import PageResponses
from identity.web.routing import Permission, Route

APP_PATH = "/demo/app"
INTROSPECTION_PATH = "/demo/introspect"
LOOPBACK_CALLBACK = "http://127.0.0.1:9999/cb"

_ADA: dict[str, Any] = {
    "name": "Ada Example", "given_name": "Ada", "family_name": "Example", "middle_name": "Byron",
    "nickname": "ada", "preferred_username": "ada", "profile": "https://people.example.org/ada",
    "picture": "https://people.example.org/ada.png", "website": "https://ada.example.org",
    "email": "ada@example.org", "email_verified": True, "gender": "female", "birthdate": "1985-12-10",
    "zoneinfo": "Europe/London", "locale": "en-GB", "phone_number": "+44 20 7946 0018",
    "phone_number_verified": True, "updated_at": 1767225600,
    "address": {
        "formatted": "12 St James's Square\nLondon SW1Y 4JH\nUnited Kingdom", "street_address": "12 St James's Square",
        "locality": "London", "region": "Greater London", "postal_code": "SW1Y 4JH", "country": "United Kingdom",
    },
}  # fmt: skip
USERS: tuple[tuple[str, str, dict[str, Any], tuple[str, ...]], ...] = (
    ("ada", "ada-demo-password", _ADA, ("engineering", "everyone")),
    ("ben", "ben-demo-password", {"name": "Ben Example", "email": "ben@example.org"}, ("everyone",)),
)
ADMINISTRATOR = ("admin", "admin-demo-password")
_CLIENTS = ("demo-web", "demo-public", "demo-machine", "demo-device")


async def ensure_demo_data(administration: Administration, settings: Settings, base_url: str) -> dict[str, Any]:
    """Make what is missing, point the applications at this address, and write `demo.json` (0600) for scripts."""
    tenant = await administration.tenant(ROOT_HANDLE)
    await _ensure_users(administration, tenant)
    await _ensure_applications(administration, tenant, base_url)
    document = await describe(administration, base_url)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = settings.data / "demo.json"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(json.dumps(document, indent=2) + "\n")
    return document


async def describe(administration: Administration, base_url: str) -> dict[str, Any]:
    """The content of `demo.json`."""
    tenant = await administration.tenant(ROOT_HANDLE)
    shown = []
    for client_id in _CLIENTS:
        application = await applications.require_application(administration, tenant.tenant, client_id)
        shown.append(
            {
                "name": application.name,
                "client_id": application.client_id,
                "client_secret": applications.read_client_secret(administration, application),
                "redirect_uris": list(application.redirect_uris),
                "grant_types": list(application.grant_types),
            }
        )
    return {
        "base_url": base_url,
        "issuer": issuer_of(base_url, tenant.tenant),
        "users": [{"username": name, "password": word, "store": "PRIMARY"} for name, word, _, _ in USERS],
        "applications": shown,
        "administrator": {"username": ADMINISTRATOR[0], "password": ADMINISTRATOR[1]},
    }


async def _ensure_users(administration: Administration, tenant: TenantConfiguration) -> None:
    stores = administration.people.stores(tenant)
    people = (*USERS, (*ADMINISTRATOR, {"name": "Demo administrator"}, ("admin", "everyone")))
    for username, password, attributes, groups in people:
        if await stores.find(username) is None:
            await users.create_user(administration, tenant, username, password, attributes=attributes, groups=groups)
    administrators = await roles.require_role_by_name(administration, tenant, ADMIN_ROLE)
    (chosen,) = await roles.subjects_of_usernames(administration, tenant, ADMINISTRATOR[:1])
    if administrators.id not in await roles_of_user(administration.database, tenant.id, SubjectId(chosen)):
        changes = roles.RoleChanges(add_users=frozenset({chosen}))
        await roles.change_role(administration, tenant, administrators, changes)


async def _ensure_applications(administration: Administration, tenant: TenantConfiguration, base_url: str) -> None:
    sample = base_url + APP_PATH
    wanted: dict[str, dict[str, Any]] = {
        "demo-web": {
            "name": "Demo web application",
            "grant_types": ("authorization_code", "refresh_token"),
            "redirect_uris": (LOOPBACK_CALLBACK,),
            "post_logout_redirect_uris": (sample, "http://127.0.0.1:9999/"),
        },
        "demo-public": {
            "name": "Demo public application",
            "token_endpoint_auth_method": "none",
            "grant_types": ("authorization_code", "refresh_token"),
            "redirect_uris": (sample, LOOPBACK_CALLBACK),
            "post_logout_redirect_uris": (sample,),
            "web_origins": (base_url,),
        },
        "demo-machine": {
            "name": "Demo machine",
            "grant_types": ("client_credentials",),
            "scopes": ("read", "write"),
            "may_introspect_any": True,
        },
        "demo-device": {
            "name": "Demo television",
            "token_endpoint_auth_method": "none",
            "grant_types": (DEVICE_CODE, "refresh_token"),
        },
    }
    for client_id, fields in wanted.items():
        known = await find_application(administration.database, tenant.id, client_id)
        if known is None:
            await applications.create_application(administration, tenant.tenant, client_id=client_id, **fields)
        elif _differs(known, fields):
            await applications.update_application(administration, tenant.tenant, client_id, fields)


def _differs(application: Application, fields: dict[str, Any]) -> bool:
    return any(getattr(application, name) != value for name, value in fields.items())


class DemoApplication:
    """The sample application's page, and its small server side: an introspection on its behalf."""

    def __init__(
        self,
        administration: Administration,
        introspect: IntrospectionEndpoint,
        pages: PageResponses,
        base_url: str,
    ) -> None:
        self._administration = administration
        self._introspect = introspect
        self._pages = pages
        self._base_url = base_url

    def routes(self) -> list[Route]:
        public = Permission.PUBLIC
        return [
            Route(
                name="demo_app",
                methods=("GET",),
                path=APP_PATH,
                endpoint=self.page,
                permission=public,
                errors="page",
                summary="Sample application (demo mode)",
            ),
            Route(
                name="demo_introspect",
                methods=("POST",),
                path=INTROSPECTION_PATH,
                endpoint=self.introspect,
                permission=public,
                exact=True,
                same_origin=True,
                summary="Introspection for the sample application",
            ),
        ]

    async def page(self, request: Request) -> Response:
        issuer = issuer_of(self._base_url, request.tenant.tenant)
        return self._pages.respond(
            request,
            "demo_app.html",
            config={
                "discovery_url": f"{issuer}/.well-known/openid-configuration",
                "client_id": "demo-public",
                "redirect_uri": self._base_url + APP_PATH,
                "scope": "openid profile email address phone groups offline_access",
                "introspection_path": INTROSPECTION_PATH,
            },
        )

    async def introspect(self, request: Request) -> Response:
        """What a gateway would hear about the posted token: asked as `demo-machine`, whose secret stays here."""
        machine = await applications.require_application(self._administration, request.tenant.tenant, "demo-machine")
        secret = applications.read_client_secret(self._administration, machine)
        credentials = base64.b64encode(f"demo-machine:{secret}".encode())
        content_type = [(name, value) for name, value in request.headers if name == b"content-type"]
        return await self._introspect(
            Request(
                method="POST",
                path="/oauth2/introspect",
                query_string=b"",
                body=request.body,
                headers=[(b"authorization", b"Basic " + credentials), *content_type],
                tenant=request.tenant,
                route=request.route,
                address=request.address,
            )
        )
