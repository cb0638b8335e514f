"""A client certificate in the place of an administrator's password (wso2-contracts §7.7)."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import httpx
import pytest
from cryptography import x509

from identity.administration import tenants, users
from identity.domain.tenants import AdministratorCertificate, TenantSettings
from identity.errors import IdentityError
from tests.support.authority import Authority, der, self_signed
from tests.support.builders import Person, Site
from tests.support.key_manager import ROLES, administrator, change_role
from tests.support.server import RunningServer, start_server
from tests.support.tls_site import client_cert

SUBJECT = x509.Name.from_rfc4514_string("CN=api-manager,O=Example")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def proxied_server(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[RunningServer]:
    """The tests are its proxy (RFC 9440)."""
    data = tmp_path_factory.mktemp("certificates")
    (data / "clients.pem").write_bytes(authority.certificate)
    settings = {"trusted_proxies": '["127.0.0.0/8"]', "proxy_client_certificates": "true"}
    running = start_server("sqlite", request, data, tls_client_ca=str(data / "clients.pem"), **settings)
    yield running
    running.stop()


@pytest.fixture
def proxied(proxied_server: RunningServer) -> Iterator[Site]:
    made = Site(proxied_server, f"t{secrets.token_hex(6)}", TenantSettings())
    yield made
    made.close()


def trust(site: Site, person: Person, **entry: str) -> None:
    entries = (AdministratorCertificate(username=person.username, **entry),)
    site.change_settings(lambda settings: replace(settings, administrator_certificates=entries))


@pytest.mark.parametrize(
    "entry",
    [
        {"username": "root"},
        {"username": "", "sha256": "0" * 64},
        {"username": "root", "sha256": "0" * 64, "subject": "CN=a"},
        {"username": "root", "sha256": "0" * 63},
        {"username": "root", "sha256": "g" * 64},
        {"username": "root", "subject": "nonsense"},
        {"username": "root", "thumbprint": "0" * 64, "sha256": 7},
    ],
    ids=str,
)
def test_entries_that_are_none(proxied: Site, entry: dict[str, Any]) -> None:
    values = {"administrator_certificates": [entry]}
    with pytest.raises(IdentityError, match="administrator_certificates"):
        proxied.administer(lambda a: tenants.set_tenant_settings(a, proxied.handle, values))


def test_set_as_on_the_command_line(proxied: Site, authority: Authority) -> None:
    certificate, _ = authority.issue((), subject=SUBJECT)
    root = administrator(proxied)
    values = {"administrator_certificates": [{"username": root.username, "sha256": thumbprint(certificate)}]}
    proxied.administer(lambda a: tenants.set_tenant_settings(a, proxied.handle, values))
    assert get_roles(proxied, certificate).status_code == 200


def thumbprint(certificate: bytes) -> str:
    return sha256(der(certificate)).hexdigest()


def get_roles(site: Site, certificate: bytes | None, **headers: str) -> httpx.Response:
    presented = client_cert(certificate) if certificate is not None else {}
    return site.http.get(ROLES, headers=presented | headers)


def test_by_thumbprint(proxied: Site, authority: Authority) -> None:
    certificate, _ = authority.issue((), subject=SUBJECT)
    other, _ = authority.issue((), subject=SUBJECT)
    trust(proxied, administrator(proxied), sha256=thumbprint(certificate).upper())
    assert get_roles(proxied, certificate).status_code == 200
    assert get_roles(proxied, certificate).status_code == 200, "remembered"
    assert get_roles(proxied, other).status_code == 401
    assert get_roles(proxied, None).status_code == 401


def test_by_subject_only_from_an_authority_of_ours(proxied: Site, authority: Authority) -> None:
    trust(proxied, administrator(proxied), subject="cn=API-Manager, o=example")
    ours, _ = authority.issue((), subject=SUBJECT)
    assert get_roles(proxied, ours).status_code == 200
    for stranger, _ in (
        authority.issue((), subject=x509.Name.from_rfc4514_string("CN=somebody,O=Example")),
        Authority().issue((), subject=SUBJECT),
        self_signed(),
    ):
        assert get_roles(proxied, stranger).status_code == 401


def test_the_header_that_names_a_user_is_not_believed(proxied: Site, authority: Authority) -> None:
    """The connector sends it with each call; whose certificate it is, our settings say."""
    certificate, _ = authority.issue((), subject=SUBJECT)
    administrator(proxied)
    trust(proxied, proxied.jane, sha256=thumbprint(certificate))
    assert get_roles(proxied, certificate, **{"WSO2-Identity-User": "root"}).status_code == 403


def test_it_opens_introspection_and_registration(proxied: Site, authority: Authority) -> None:
    certificate, _ = authority.issue((), subject=SUBJECT)
    trust(proxied, administrator(proxied), sha256=thumbprint(certificate))
    token = proxied.machine_token(proxied.machine())
    headers = client_cert(certificate)
    answer = proxied.http.post("/oauth2/introspect", data={"token": token}, headers=headers)
    assert answer.json()["active"] is True
    body = {"client_name": "one", "grant_types": ["client_credentials"], "redirect_uris": []}
    registered = proxied.http.post("/api/identity/oauth2/dcr/v1.1/register", json=body, headers=headers)
    assert registered.status_code == 201, registered.text


@pytest.mark.parametrize("how", ["disabled", "role", "setting", "unknown name"])
def test_it_ends_with_the_person_the_role_and_the_setting(proxied: Site, authority: Authority, how: str) -> None:
    certificate, _ = authority.issue((), subject=SUBJECT)
    root = administrator(proxied)
    trust(proxied, root, sha256=thumbprint(certificate))
    assert get_roles(proxied, certificate).status_code == 200
    expected = 401
    if how == "disabled":
        proxied.in_tenant(lambda a, t: users.set_user_enabled(a, t, root.username, False))
    elif how == "role":
        change_role(proxied, "admin", remove=root)
        expected = 403
    elif how == "setting":
        proxied.change_settings(lambda settings: replace(settings, administrator_certificates=()))
    else:
        trust(proxied, Person("nobody", "", root.user), sha256=thumbprint(certificate))
    assert get_roles(proxied, certificate).status_code == expected


def test_by_thumbprint_until_it_expires(proxied: Site, authority: Authority) -> None:
    """A proxy that only passes certificates on does not look at their dates."""
    certificate, _ = authority.issue((), subject=SUBJECT, days=-1)
    trust(proxied, administrator(proxied), sha256=thumbprint(certificate))
    assert get_roles(proxied, certificate).status_code == 401
