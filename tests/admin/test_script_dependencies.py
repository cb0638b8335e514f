"""What published scripts stand on stays as long as they need it: secrets that they name, steps that they run."""

from dataclasses import replace

import pytest

from identity.administration.context import Administration
from identity.storage.scripts import insert_version, list_versions
from tests.support.builders import Client, Person, Site, response_parameters
from tests.support.key_manager import administrator, call
from tests.support.script_admin import BASE, BOTH, PLAIN, published, save
from tests.support.scripts import PASSWORD_STEP, SECOND_STEP, begun, steps

pytestmark = pytest.mark.long

SECRETS = f"{BASE}/secrets/ADAPTIVE_AUTH"
CALLING = "function onLoginRequest(context) { executeStep(1); httpGet('https://a.example/', { key: %s }); }"


@pytest.fixture
def client(site: Site) -> Client:
    return site.application("Shop", sign_in_steps=steps(PASSWORD_STEP, SECOND_STEP))


def secret(site: Site, root: Person, name: str = "key") -> str:
    """Its path."""
    created = call(site, root, "POST", SECRETS, json={"name": name, "value": "sesame"})
    assert created.status_code == 201, created.text
    return f"{SECRETS}/{name}"


@pytest.mark.parametrize(
    "named",
    [
        "secrets.key",
        "secrets['key']",
        "secrets?.key",
        "`Bearer ${secrets.key}`",
        "secrets?.['key']",
        "secrets[`key`]",
        "(secrets).key",
        "(({key}) => key)(secrets)",
        "secrets['k' + 'ey']",
        "globalThis['secrets'].key",
    ],
)
def test_a_secret_in_use_stays(site: Site, root: Person, client: Client, named: str) -> None:
    path = secret(site, root)
    published(site, root, client, CALLING % named)
    refused = call(site, root, "DELETE", path)
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert "Shop" in refused.json()["description"]
    assert call(site, root, "GET", path).status_code == 200
    published(site, root, client, PLAIN)
    assert call(site, root, "DELETE", path).status_code == 204


def test_a_secret_of_the_tenants_script_and_of_a_library_stays(site: Site, root: Person, client: Client) -> None:
    path = secret(site, root)
    library = {"name": "risk.js", "content": "exports.ask = () => httpGet('https://a.example/', { k: secrets.key });"}
    assert call(site, root, "POST", f"{BASE}/script-libraries", json=library).status_code == 201
    published(site, root, None, CALLING % "secrets.key")
    published(site, root, client, f"var risk = require('risk.js'); {PLAIN}")
    told = call(site, root, "DELETE", path).json()["description"]
    assert "Shop" in told
    assert f"tenant {site.handle}" in told


def test_what_is_only_mentioned_or_drafted_keeps_no_secret(site: Site, root: Person, client: Client) -> None:
    path = secret(site, root)
    secret(site, root, "key_two")
    published(site, root, client, f"/* not secrets.key */ var s = secrets.key_two; {PLAIN} // secrets.key")
    assert save(site, root, client, CALLING % "secrets.key").status_code == 201
    assert call(site, root, "DELETE", path).status_code == 204


def test_a_secret_goes_by_force_and_its_script_fails(site: Site, root: Person, client: Client) -> None:
    path = secret(site, root)
    published(site, root, client, CALLING % "secrets.key")
    assert call(site, root, "DELETE", path, params={"force": "perhaps"}).status_code == 400
    assert call(site, root, "DELETE", path, params={"force": "true"}).status_code == 204
    assert response_parameters(begun(site, client))["error"] == "access_denied"


def test_a_script_of_another_tenant_keeps_no_secret(site: Site, server: object, root: Person) -> None:
    """Tenants do not see each other: a secret of the same name in theirs is another one."""
    elsewhere = Site(server, f"{site.handle}z", site.tenant.settings)  # type: ignore[arg-type]
    try:
        keeper = administrator(elsewhere, "keeper")
        secret(elsewhere, keeper)
        published(elsewhere, keeper, None, CALLING % "secrets.key")
        assert call(site, root, "DELETE", secret(site, root)).status_code == 204
    finally:
        elsewhere.close()


def test_steps_stay_where_the_script_has_no_room(site: Site, root: Person, client: Client) -> None:
    """Either both are set or none: the old script would run with the new steps."""
    published(site, root, client, BOTH)
    sequence = f"{BASE}/applications/{client.application.id}/authenticationSequence"

    async def fill(administration: Administration) -> None:
        (version,) = await list_versions(administration.database, site.tenant.id, client.application.id, 1)
        async with administration.database.transaction() as transaction:
            await insert_version(transaction, site.tenant.id, replace(version, number=1000))

    site.administer(fill)
    before = call(site, root, "GET", sequence).json()["steps"]
    one = [{"id": 1, "options": [{"authenticator": "BasicAuthenticator"}]}]
    refused = call(site, root, "PUT", sequence, json={"steps": one, "script": PLAIN})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_versions")
    assert call(site, root, "GET", sequence).json()["steps"] == before
