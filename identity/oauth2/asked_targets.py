"""What a request names its token for: resource indicators (RFC 8707) and authorization details (RFC 9396).

The one door of every request without a browser: the token endpoint, device authorization and CIBA.
"""

from identity.domain.applications import Application
from identity.oauth2.authorization_details import allowed_details
from identity.oauth2.resources import allowed_resources
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Database
from identity.tokens.addresses import issuer_of


class AskedTargets:
    def __init__(self, database: Database, base_url: str) -> None:
        self._database = database
        self._base_url = base_url

    async def read(
        self, tenant: TenantConfiguration, application: Application, form: dict[str, str]
    ) -> tuple[tuple[str, ...], str]:
        """The resources, and the details as compact JSON or empty; each allowed to this application.

        Raises OAuthError invalid_target, invalid_authorization_details.
        """
        asked, details = form.get("resource"), form.get("authorization_details")
        own = issuer_of(self._base_url, tenant.tenant)
        return (
            await allowed_resources(self._database, tenant, application, asked, own=own) if asked is not None else (),
            await allowed_details(self._database, tenant, application, details) if details is not None else "",
        )
