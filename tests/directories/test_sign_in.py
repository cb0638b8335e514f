"""People of a real LDAP directory sign in over HTTP; a dead directory fails its own people and nobody else."""

import time
from typing import Any

import pytest

from identity.administration import stores
from tests.support.builders import Client, Person, Site, claims_of
from tests.userstores.start_slapd import GROUPS, PEOPLE, SERVICE_DN, SERVICE_PASSWORD, Slapd

PATIENCE = 20
"""Seconds that the directory has for everything that must succeed, however busy the machine is."""


def connect_directory(site: Site, directory: Slapd, **more: Any) -> None:
    """The directory as the tenant's store CORP, over LDAPS with its certificate verified."""
    given = settings(directory, **more)
    site.in_tenant(lambda a, t: stores.create_store(a, t, "CORP", "ldap", given))


def wait_for(site: Site, directory: Slapd, seconds: float) -> None:
    """From now on the server waits that long for the directory."""
    given = settings(directory, operation_seconds=seconds)
    site.in_tenant(lambda a, t: stores.update_store(a, t, "CORP", given))


def settings(directory: Slapd, **more: Any) -> dict[str, Any]:
    return {
        "urls": directory.ldaps_uri,
        "ca_file": str(directory.ca_file),
        "user_search_base": PEOPLE,
        "group_search_base": GROUPS,
        "bind_dn": SERVICE_DN,
        "bind_password": SERVICE_PASSWORD,
        "login_attributes": ["mail"],
        "connect_seconds": PATIENCE,
        "read_seconds": PATIENCE,
        "operation_seconds": PATIENCE,
        "breaker_seconds": 0.2,
    } | more


def ada(username: str = "CORP/ada", password: str = "ada-pw") -> Person:
    return Person(username, password, None)  # type: ignore[arg-type]  # lives in the directory, not with us


def shows(site: Site, client: Client, person: Person) -> tuple[int, str]:
    page = site.sign_in(client, person)
    return page.status, page.text


@pytest.mark.parametrize("username", ["CORP/ada", "corp/ADA", "ada", "ada@example.org"])
def test_a_person_of_the_directory_signs_in(site: Site, slapd: Slapd, username: str) -> None:
    connect_directory(site, slapd)
    client = site.application(id_token_claims="scopes", access_token_type="jwt")
    tokens = site.tokens(client, ada(username), scope="openid profile email phone address groups")
    claims = claims_of(tokens["id_token"])
    assert claims["name"] == "Ada Lovelace"
    assert claims["email"] == "ada@example.org"
    assert claims["address"]["locality"] == "London"
    assert claims["groups"] == ["math", "staff"]
    assert site.introspect(client, tokens["access_token"])["username"] == "CORP/ada"
    assert site.userinfo(tokens["access_token"]).json()["given_name"] == "Ada"


def test_the_subject_stays_the_same_whatever_name_was_typed(site: Site, slapd: Slapd) -> None:
    connect_directory(site, slapd)
    client = site.application()
    subjects = {
        claims_of(site.tokens(client, ada(name))["id_token"])["sub"] for name in ("CORP/ada", "ada@example.org")
    }
    assert len(subjects) == 1


@pytest.mark.parametrize("name", ["locked", "expired", "changing", "nobody", "*", "ada)(uid=*", "ada\\2a"])
def test_refusals_of_the_directory_look_the_same(site: Site, slapd: Slapd, name: str) -> None:
    connect_directory(site, slapd)
    client = site.application()
    expected = shows(site, client, ada("CORP/u5", "wrong"))
    status, text = shows(site, client, ada(f"CORP/{name}", f"{name}-pw"))
    assert status == expected[0] == 422
    assert _plain(text, f"CORP/{name}") == _plain(expected[1], "CORP/u5")


def _plain(text: str, username: str) -> str:
    """The page without what differs each time: the name as typed, flow ids and form tokens."""
    import html
    import re

    text = text.replace(html.escape(username, quote=True), "NAME").replace(
        html.escape(username).replace("'", "&#39;"), "NAME"
    )
    return re.sub(r'(value|action)="[^"]*"|"challenge": "[^"]+"', r'\1=""', text)


@pytest.mark.parametrize("trouble", ["frozen", "stopped"])
def test_a_dead_directory_fails_only_its_own_people_and_is_used_again(
    site: Site, own_slapd: Slapd, trouble: str
) -> None:
    connect_directory(site, own_slapd)
    client = site.application()
    kept = site.tokens(client, ada(), scope="openid")
    jane = site.jane
    wait_for(site, own_slapd, 0.5)
    (own_slapd.freeze if trouble == "frozen" else own_slapd.stop)()
    try:
        status, text = shows(site, client, ada())
        assert (status, "password-error" in text) == (503, False)
        # Somebody of our own store is not held up, and what was issued before goes on being answered.
        started = time.monotonic()
        assert site.tokens(client, jane)["access_token"]
        assert site.is_active(client, kept["access_token"])
        assert time.monotonic() - started < 30, "bounded, not measured"
        # Decision 13: a silent directory is no success at refresh.
        refused = site.refresh(client, kept["refresh_token"])
        assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
        assert "retry-after" in refused.headers
    finally:
        (own_slapd.thaw if trouble == "frozen" else own_slapd.start)()
    wait_for(site, own_slapd, PATIENCE)
    for _ in range(100):
        if shows(site, client, ada())[0] == 303:
            break
    else:
        pytest.fail("the directory is not used again")
    assert site.refresh(client, kept["refresh_token"]).status_code == 200


def test_the_circuit_of_a_dead_directory_is_a_metric(site: Site, own_slapd: Slapd) -> None:
    connect_directory(site, own_slapd, breaker_seconds=60)
    own_slapd.stop()
    client = site.application()
    for _ in range(10):
        shows(site, client, ada())
    metrics = site.http.get(f"{site.server.base_url}/metrics").text
    assert f'user_store_circuit_open{{store="{site.tenant.id}/CORP"}} 1.0' in metrics
    own_slapd.start()
