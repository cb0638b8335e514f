"""docs/test-installations.md itself: what its commands leave behind."""

import re

import pytest

from tests.interop.installation import PAGE, Installation
from tests.interop.runner import Runner


def test_check_is_content(installation: Installation) -> None:
    told = installation.run("identity check")
    assert "PROBLEM" not in told
    assert "TEST MODE is on" in told


def test_the_applications_are_those_of_the_last_table(installation: Installation) -> None:
    page = PAGE.read_text()
    named = set(re.findall(r"`((?:basic|post|fapi|signing|ciba)[a-z0-9-]*\*?)`", page.partition("## Which profile")[2]))
    listed = installation.run("identity applications list --tenant op") + installation.run(
        "identity applications list --tenant fapi"
    )
    made = {line.split("\t")[0] for line in listed.splitlines()}
    assert {re.sub("-[12]$", "-*", client_id) for client_id in made} == named


@pytest.mark.parametrize(
    ("setting", "told"),
    [("profile=fapi2_security", "token_endpoint_auth_method"), ("access_token_algorithm=none", "not supported")],
)
def test_what_a_profile_forbids_is_refused_when_it_is_saved(
    installation: Installation, setting: str, told: str
) -> None:
    script = (
        f"identity applications create Wrong --tenant fapi --redirect-uri https://a.example/cb --set {setting} 2>&1"
    )
    assert told in installation.run(f"! {script}")


def test_a_self_signed_certificate_gets_through_the_handshake(installation: Installation) -> None:
    own = Runner(installation, "fapi", "client3")
    try:
        assert own.at_mtls.get(own.endpoint("userinfo", mtls=True)).status_code == 401
    finally:
        own.close()
