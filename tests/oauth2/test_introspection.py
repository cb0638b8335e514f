"""Who may ask about a token, and that the answer is exact at once (RFC 7662; decisions 5 and 8)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from identity.administration import applications, tenants, users
from tests.support.builders import Client, Site
from tests.support.in_process import TimedSite

BEARER_SCOPE = "internal_oauth2_introspect"


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
@pytest.mark.parametrize(
    ("caller", "told"),
    [("its client", True), ("its audience", True), ("a gateway", True), ("anybody else", False)],
)
def test_who_may_know(site: Site, kind: str, caller: str, told: bool) -> None:
    resource = site.application("Resource", client_id=f"resource-{site.handle}")
    client = site.application(access_token_type=kind, audiences=(resource.client_id,))
    callers = {
        "its client": client,
        "its audience": resource,
        "a gateway": site.machine(may_introspect_any=True),
        "anybody else": site.machine(),
    }
    token = site.tokens(client, site.jane)["access_token"]
    assert site.is_active(callers[caller], token) is told


def test_public_clients_may_not_ask(site: Site) -> None:
    client = site.public_application()
    token = site.tokens(client, site.jane)["access_token"]
    response = site.http.post("/oauth2/introspect", data={"token": token, "client_id": client.client_id})
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


@pytest.mark.spec("RFC 7662", "2.1")
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_resource_server_asks_with_an_access_token(site: Site, kind: str) -> None:
    """Contracts §7.10: Ballerina's services authenticate so."""
    service = site.machine(management_scopes=(BEARER_SCOPE,), access_token_type=kind)
    token = site.tokens(site.application(), site.jane)["access_token"]

    def ask(bearer: str) -> Any:
        headers = {"Authorization": f"Bearer {bearer}"}
        return site.http.post("/oauth2/introspect", data={"token": token}, headers=headers)

    assert ask(site.machine_token(service, scope=BEARER_SCOPE)).json()["active"] is True
    without = ask(site.machine_token(service))
    assert (without.status_code, without.json()["error"]) == (403, "insufficient_scope")
    wrong = ask("at_wrong")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_token")


def test_refresh_tokens_are_told_to_their_own_client_alone(site: Site) -> None:
    client, gateway = site.application(), site.machine(may_introspect_any=True)
    tokens = site.tokens(client, site.jane)
    answer = site.introspect(client, tokens["refresh_token"])
    assert (answer["active"], answer["token_type"]) == (True, "Refresh")
    assert not site.is_active(gateway, tokens["refresh_token"])
    site.refresh(client, tokens["refresh_token"])
    assert not site.is_active(client, tokens["refresh_token"])


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
def test_the_hint_may_be_wrong(site: Site, hint: str) -> None:
    client = site.machine()
    data = {"token": site.machine_token(client), "token_type_hint": hint}
    assert site.http.post("/oauth2/introspect", data=data, auth=client.basic).json()["active"] is True


def _revoke(site: Site, client: Client, tokens: dict[str, Any]) -> None:
    site.http.post("/oauth2/revoke", data={"token": tokens["access_token"]}, auth=client.basic)


def _revoke_family(site: Site, client: Client, tokens: dict[str, Any]) -> None:
    site.http.post("/oauth2/revoke", data={"token": tokens["refresh_token"]}, auth=client.basic)


def _disable_person(site: Site, client: Client, tokens: dict[str, Any]) -> None:
    site.in_tenant(lambda a, t: users.set_user_enabled(a, t, "jane", False))


def _change_password(site: Site, client: Client, tokens: dict[str, Any]) -> None:
    site.in_tenant(lambda a, t: users.set_password(a, t, "jane", "another long password"))


def _delete_person(site: Site, client: Client, tokens: dict[str, Any]) -> None:
    site.in_tenant(lambda a, t: users.delete_user(a, t, "jane"))


def _sign_out_everywhere(site: Site, client: Client, tokens: dict[str, Any]) -> None:
    site.in_tenant(lambda a, t: users.end_sessions(a, t, "jane"))


def _disable_application(site: Site, client: Client, tokens: dict[str, Any]) -> None:
    site.update(client, enabled=False)


def _delete_application(site: Site, client: Client, tokens: dict[str, Any]) -> None:
    site.administer(lambda a: applications.delete_application(a, site.tenant, client.client_id))


ENDS: list[Callable[[Site, Client, dict[str, Any]], None]] = [
    _revoke, _revoke_family, _disable_person, _change_password, _delete_person, _sign_out_everywhere,
    _disable_application, _delete_application,
]  # fmt: skip


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
@pytest.mark.parametrize("end", ENDS, ids=[end.__name__.strip("_") for end in ENDS])
def test_whatever_ends_a_token_is_seen_by_the_next_question(
    site: Site, kind: str, end: Callable[[Site, Client, dict[str, Any]], None]
) -> None:
    client, gateway = site.application(access_token_type=kind), site.machine(may_introspect_any=True)
    tokens = site.tokens(client, site.jane)
    assert site.is_active(gateway, tokens["access_token"])
    end(site, client, tokens)
    assert not site.is_active(gateway, tokens["access_token"])
    assert site.userinfo(tokens["access_token"]).status_code == 401


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_token_expires(timed: TimedSite, kind: str) -> None:
    client = timed.application(access_token_type=kind, user_access_token_lifetime=100)
    token = timed.tokens(client, timed.jane)["access_token"]
    timed.clock.advance(98)
    assert timed.is_active(client, token)
    timed.clock.advance(2)
    assert not timed.is_active(client, token)
    assert timed.userinfo(token).status_code == 401


def test_a_disabled_tenant_answers_nothing(site: Site) -> None:
    client = site.machine()
    token = site.machine_token(client)
    site.administer(lambda a: tenants.set_tenant_enabled(a, site.handle, False))
    assert site.http.post("/oauth2/introspect", data={"token": token}, auth=client.basic).status_code == 404
    assert site.token(client, grant_type="client_credentials").status_code == 404


def test_a_changed_issuer_ends_the_old_ones_jwts(site: Site) -> None:
    client = site.machine(access_token_type="jwt")
    token = site.machine_token(client)
    site.change_settings(lambda settings: replace(settings, issuer="https://issuer.example"))
    assert not site.is_active(client, token)
    assert site.introspect(client, site.machine_token(client))["iss"] == "https://issuer.example"
