"""The steps of whoever registers an application."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import httpx

from identity.administration.registration_tokens import create_initial_access_token
from identity.domain.registration import RegistrationLimits
from tests.support.builders import CALLBACK, Site

PATH = "/api/identity/oauth2/dcr/v1.1/register"
SCOPES = ("internal_dcr_create", "internal_dcr_view", "internal_dcr_update", "internal_dcr_delete")


@dataclass(frozen=True)
class Office:
    """The registration endpoint of a tenant, called with one kind of authorization."""

    site: Site
    basic: tuple[str, str] | None = None
    token: str | None = None

    def bearing(self, token: str | None) -> "Office":
        return replace(self, basic=None, token=token)

    def call(self, method: str, path: str = "", document: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        arguments: dict[str, Any] = {"headers": headers}
        if document is not None:
            arguments["json"] = document
        if self.basic is not None:
            arguments["auth"] = self.basic
        return self.site.http.request(method, PATH + path, **arguments)

    def register(self, **metadata: Any) -> httpx.Response:
        """With one redirect address unless others are given."""
        return self.call("POST", "", {"redirect_uris": [CALLBACK]} | metadata)

    def registered(self, **metadata: Any) -> dict[str, Any]:
        response = self.register(**metadata)
        assert response.status_code == 201, response.text
        information: dict[str, Any] = response.json()
        return information

    def of(self, information: dict[str, Any]) -> "Own":
        """What the registered client itself can do, by its registration access token."""
        return Own(self.bearing(information["registration_access_token"]), information["client_id"])


@dataclass(frozen=True)
class Own:
    office: Office
    client_id: str

    def read(self) -> httpx.Response:
        return self.office.call("GET", f"/{self.client_id}")

    def update(self, **metadata: Any) -> httpx.Response:
        document = {"client_id": self.client_id, "redirect_uris": [CALLBACK]} | metadata
        return self.office.call("PUT", f"/{self.client_id}", document)

    def delete(self) -> httpx.Response:
        return self.office.call("DELETE", f"/{self.client_id}")


def administrators_office(site: Site) -> Office:
    """As an administrator's program calls it: with Basic credentials that hold the scopes."""
    return Office(site, basic=site.machine(management_scopes=SCOPES).basic)


def set_registration(site: Site, rule: Literal["closed", "token", "open"]) -> None:
    site.change_settings(lambda settings: replace(settings, registration=rule))


def open_office(site: Site) -> Office:
    """As anybody calls it, of a tenant that is open. Comes before the tenant's first request: it is cached then."""
    set_registration(site, "open")
    return Office(site)


def initial_token(site: Site, *, uses: int = 1, lifetime: int = 3600, **limits: Any) -> str:
    return str(
        site.administer(
            lambda a: create_initial_access_token(
                a, site.tenant, RegistrationLimits(**limits), uses=uses, lifetime=lifetime
            )
        )
    )
