"""The token endpoint takes its parameters as JSON too (wso2-contracts §1.1), by the same rules."""

from typing import Any

import pytest

from tests.support.builders import Site


def test_client_credentials_and_codes(site: Site) -> None:
    machine = site.machine()
    answer = site.http.post(
        "/oauth2/token", json={"grant_type": "client_credentials", "scope": "read"}, auth=machine.basic
    )
    assert answer.json()["scope"] == "read"
    client = site.application()
    body = {
        "grant_type": "authorization_code",
        "code": site.code(client, site.jane),
        "redirect_uri": client.redirect_uri,
        "client_id": client.client_id,
        "client_secret": client.secret,
    }
    assert "id_token" in site.http.post("/oauth2/token", json=body).json()
    assert site.http.post("/oauth2/token", json=body).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"grant_type": ["client_credentials"]}',
        b'{"grant_type": "client_credentials", "grant_type": "password"}',
        b'{"grant_type": {"a": 1}}',
        b'{"grant_type": "client_credentials", "scope": 1}',
        b'{"grant_type": "client_credentials", "scope": "a\\u0000"}',
        b"{",
        b"\xff",
        b"[" * 60_000,
    ],
)
def test_malformed_bodies(site: Site, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = site.http.post("/oauth2/token", content=body, headers=headers, auth=site.machine().basic)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_empty_members_count_as_absent(site: Site) -> None:
    body: dict[str, Any] = {"grant_type": "", "client_id": ""}
    assert site.http.post("/oauth2/token", json=body, auth=site.machine().basic).json()["error"] == "invalid_request"
