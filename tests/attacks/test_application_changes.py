"""Two who change an application or a tenant at once: neither undoes what the other did (attack rows 16 and 24)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from identity.administration import applications, keys, tenants
from identity.administration.context import Administration
from identity.administration.registration_tokens import replace_registration_token
from identity.domain.applications import Application
from identity.storage.applications import list_applications_page
from tests.registration.registering import open_office, set_registration
from tests.support.builders import Client, Site

Change = Callable[[Administration], Awaitable[Any]]


def after(site: Site, client: Client, *changes: Change) -> Application:
    """The application when all of these have been made at the same time."""

    async def run(administration: Administration) -> Application:
        await asyncio.gather(*(change(administration) for change in changes))
        return await applications.require_application(administration, site.tenant, client.client_id)

    return site.administer(run)


def renamings(site: Site, client: Client) -> list[Change]:
    """As a client sends them in a row, that sees its end coming."""

    def renaming(name: str) -> Change:
        return lambda a: applications.update_application(a, site.tenant, client.client_id, {"name": name})

    return [renaming(f"Name {number}") for number in range(4)]


def test_row_16_a_disabled_application_stays_disabled(site: Site) -> None:
    client = site.machine()

    def disable(administration: Administration) -> Awaitable[Any]:
        return applications.update_application(administration, site.tenant, client.client_id, {"enabled": False})

    final = after(site, client, disable, *renamings(site, client))
    assert (final.enabled, final.version) == (False, 6)
    assert final.name.startswith("Name")


def test_row_16_a_secret_that_ended_has_ended(site: Site) -> None:
    client = site.machine()
    old = client.application.secrets[0].id

    def renew(administration: Administration) -> Awaitable[Any]:
        return applications.add_client_secret(administration, site.tenant, client.client_id)

    final = after(site, client, renew, *renamings(site, client))
    assert [secret.id == old for secret in final.secrets] == [False]
    assert site.token(client, grant_type="client_credentials").status_code == 401


def test_a_replaced_registration_token_stays_replaced(site: Site) -> None:
    office = open_office(site)
    information = office.registered()
    found = site.administer(lambda a: applications.require_application(a, site.tenant, information["client_id"]))
    client = Client(found, None)

    def replace_token(administration: Administration) -> Awaitable[Any]:
        return replace_registration_token(administration, site.tenant, client.client_id)

    final = after(site, client, replace_token, *renamings(site, client))
    assert final.registration_token != found.registration_token
    assert office.of(information).read().status_code == 401


def test_sealing_anew_undoes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client = site.machine()

    async def seal_anew(administration: Administration) -> Application:
        async def list_and_disable(*arguments: Any, **named: Any) -> list[Application]:
            page = await list_applications_page(*arguments, **named)
            if page:
                await applications.update_application(administration, site.tenant, client.client_id, {"enabled": False})
            return page

        monkeypatch.setattr(keys, "list_applications_page", list_and_disable)
        await keys.rewrap(administration, site.tenant)
        return await applications.require_application(administration, site.tenant, client.client_id)

    assert not site.administer(seal_anew).enabled


def test_settings_of_a_tenant_stay_as_everybody_set_them(site: Site) -> None:
    async def run(administration: Administration) -> None:
        values: list[dict[str, Any]] = [{"registration": "closed"}, {"session_idle": 77}, {"dpop_nonce_required": True}]
        changes = [tenants.set_tenant_settings(administration, site.handle, each) for each in values]
        await asyncio.gather(*changes, tenants.set_tenant_enabled(administration, site.handle, False))

    set_registration(site, "open")
    site.administer(run)
    tenant = site.administer(lambda a: tenants.require_tenant(a, site.handle))
    settings = tenant.settings
    assert (settings.registration, settings.session_idle, settings.dpop_nonce_required) == ("closed", 77, True)
    assert not tenant.enabled


def test_decision_15_the_kept_copy_goes_with_the_setting(site: Site) -> None:
    client = site.machine()
    site.update(client, keep_client_secret=False)
    found = site.administer(lambda a: applications.require_application(a, site.tenant, client.client_id))
    assert [secret.sealed for secret in found.secrets] == [None]
    assert site.token(client, grant_type="client_credentials").status_code == 200
