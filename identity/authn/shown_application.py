"""An application as the sign-in and consent pages show it: name, host, and the logo as we serve it (decision 23)."""

from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from identity.domain.applications import Application
from identity.storage import logos
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database


async def shown_application(
    database: Database, tenant: TenantConfiguration, application: Application | None, host: str
) -> dict[str, Any]:
    """`application` of the templates. None: the account page of this server, which has no name here.

    `identified_by` is the host that stands for a client whose id is the address of its metadata: it names itself as it
    likes, so that this is what a person can go by.
    """
    if application is None:
        return {"name": "", "host": host, "identified_by": None, "logo_uri": None, "logo_path": None}
    documented = application.registered_by == "metadata_document"
    return {
        "name": application.shown_name,
        "host": host,
        "identified_by": urlsplit(application.client_id).netloc if documented else None,
        "logo_uri": application.logo_uri,
        "logo_path": await _logo_path(database, tenant, application),
        "policy_uri": application.policy_uri,
        "tos_uri": application.tos_uri,
    }


async def _logo_path(database: Database, tenant: TenantConfiguration, application: Application) -> str | None:
    """Where we serve the logo; None when there is none, or when there was no image at the registered address."""
    if application.logo_uri is None:
        return None
    state = await logos.find_logo_state(database, tenant.id, application.id)
    if state is not None and state.source == application.logo_uri and not state.usable:
        return None
    version = sha256(application.logo_uri.encode()).hexdigest()[:16]
    return f"{tenant.prefix}/logos/{application.id}?v={version}"
