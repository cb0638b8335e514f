"""`identity registration …`: initial access tokens and replaced registration tokens."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.registration.registering import Office, administrators_office
from tests.support.builders import Site
from tests.support.processes import environment


def identity(site: Site, *arguments: str) -> str:
    """The output of a command on the server's own installation."""
    server = site.server
    variables = {"IDENTITY_MASTER_KEY": server.master_key, "IDENTITY_DATA": str(server.data)}
    if server.database_url is not None:
        variables["IDENTITY_DATABASE_URL"] = server.database_url
    done = subprocess.run(
        [sys.executable, "-m", "identity", *arguments],
        env=environment(PYTHONPATH=str(Path(__file__).parents[2]), **variables),
        cwd=server.data,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def test_tokens_are_made_listed_and_deleted(site: Site) -> None:
    of_tenant = ("--tenant", site.handle)
    made = identity(
        site, "registration", "token", "create", "--uses", "3", "--grant-type", "client_credentials", *of_tenant
    )
    name, token = made.split()
    assert name == "initial_access_token"
    office = Office(site).bearing(token)
    assert office.registered(grant_types=["client_credentials"], redirect_uris=[])["grant_types"]
    assert office.register(grant_types=["authorization_code"]).status_code == 400
    listed = identity(site, "registration", "token", "list", *of_tenant).split("\t")
    assert listed[1:2] == ["2"]
    assert token not in listed
    assert identity(site, "registration", "token", "delete", listed[0], *of_tenant).startswith("Deleted")
    assert office.register().status_code == 401


@pytest.mark.any_engine
def test_nonsense_is_refused(site: Site) -> None:
    for arguments in (["--uses", "0"], ["--lifetime", "0"], ["--profile", "x"], ["--grant-type", "x"]):
        output = identity(site, "registration", "token", "create", "--tenant", site.handle, *arguments)
        assert output.startswith("identity: "), output
    assert "0 tokens begin" in identity(site, "registration", "token", "delete", "00", "--tenant", site.handle)


def test_a_new_registration_token(site: Site) -> None:
    office = administrators_office(site)
    information = office.registered()
    made = identity(site, "registration", "client-token", information["client_id"], "--tenant", site.handle)
    token = made.split()[1]
    assert office.of(information).read().status_code == 401
    assert office.of(information | {"registration_access_token": token}).read().status_code == 200
