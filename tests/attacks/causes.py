"""What ends somebody's access (attack row 16), as something that happens to a place."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from identity.administration import applications, stores, users
from identity.administration.context import Administration
from identity.storage import tenants
from tests.support.browser import Browser
from tests.support.builders import Client, Site


@dataclass(frozen=True)
class Place:
    site: Site
    client: Client
    browser: Browser
    """Jane's, signed in."""


Cause = Callable[[Place], None]


def user_disabled(place: Place) -> None:
    place.site.in_tenant(lambda a, t: users.set_user_enabled(a, t, "jane", False))


def user_deleted(place: Place) -> None:
    place.site.in_tenant(lambda a, t: users.delete_user(a, t, "jane"))


def user_deleted_and_made_again(place: Place) -> None:
    user_deleted(place)
    place.site.person("jane")


def password_changed(place: Place) -> None:
    place.site.in_tenant(lambda a, t: users.set_password(a, t, "jane", "another password"))


def signed_out_everywhere(place: Place) -> None:
    place.site.in_tenant(lambda a, t: users.end_sessions(a, t, "jane"))


def session_ended(place: Place) -> None:
    place.browser.get(f"{place.site.base}/oidc/logout").submit("logout-confirm")


def consent_taken_back(place: Place) -> None:
    page = place.browser.get(f"{place.site.base}/account")
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"csrf_token": token, "revoke_application": place.client.application.id}
    assert place.browser.post(f"{place.site.base}/account", form).status == 200


def application_disabled(place: Place) -> None:
    place.site.update(place.client, enabled=False)


def application_deleted(place: Place) -> None:
    place.site.administer(lambda a: applications.delete_application(a, place.site.tenant, place.client.client_id))


def grant_taken_away(place: Place) -> None:
    place.site.update(place.client, grant_types=("client_credentials",))


def store_disconnected(place: Place) -> None:
    place.site.in_tenant(lambda a, t: stores.update_store(a, t, "PRIMARY", enabled=False))


def tenant_disabled(place: Place) -> None:
    async def disable(administration: Administration) -> None:
        async with administration.database.transaction() as transaction:
            await tenants.update_tenant(transaction, replace(place.site.tenant, enabled=False))

    place.site.administer(disable)


OF_THE_PERSON: tuple[Cause, ...] = (
    user_disabled, user_deleted, user_deleted_and_made_again, password_changed, signed_out_everywhere,
)  # fmt: skip
OF_THE_APPLICATION: tuple[Cause, ...] = (application_disabled, application_deleted)
OF_THE_SESSION: tuple[Cause, ...] = (session_ended,)
EVERYTHING = (*OF_THE_PERSON, *OF_THE_APPLICATION, *OF_THE_SESSION, consent_taken_back)


def refused(site: Site, client: Client, **form: str) -> None:
    response = site.token(client, **form)
    assert response.status_code in (400, 401, 404), response.text
    if response.status_code != 404:
        assert response.json()["error"] in ("invalid_grant", "invalid_client", "unauthorized_client")
    assert "token" not in response.text.replace("refresh token", "")
