"""What an application and an administrator learn of a sign-in that a script has ended."""

import json
from urllib.parse import urlsplit

import pytest

from tests.support.authorization import carried
from tests.support.builders import Site, claims_of, response_parameters
from tests.support.scripts import begun, denial, scripted

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

REFUSING = "var onLoginRequest = function (c) { fail(%s); };"
ABOUT = {"errorCode": "too_risky", "errorMessage": "Not now.", "errorURI": "https://help.example/risk?lang=en#why"}


@pytest.mark.spec("RFC 6749", "4.1.2.1")
@pytest.mark.parametrize("mode", ["query", "fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt"])
def test_the_address_about_an_error_reaches_the_application(site: Site, mode: str) -> None:
    client = scripted(site, REFUSING % json.dumps(ABOUT))
    carrier, told = carried(begun(site, client, response_mode=mode))
    assert carrier == mode.removesuffix(".jwt")
    told = claims_of(told["response"]) if mode.endswith("jwt") else told
    assert (told["error"], told["error_description"], told["error_uri"]) == tuple(ABOUT.values())


@pytest.mark.parametrize("path", ["/help?lang=en", "help?lang=en"])
def test_a_path_about_an_error_is_told_as_an_address_of_this_server(site: Site, path: str) -> None:
    here = urlsplit(site.issuer)
    client = scripted(site, REFUSING % json.dumps({"errorURI": path}))
    told = response_parameters(begun(site, client))
    assert told["error_uri"] == f"{here.scheme}://{here.netloc}/help?lang=en"


def test_an_error_without_an_address_names_none(site: Site) -> None:
    client = scripted(site, REFUSING % "{ errorCode: 'too_risky' }")
    assert "error_uri" not in response_parameters(begun(site, client))


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "//evil.example/", 'https://a.example/"', "http://[", f"https://a.example/{2000 * 'x'}"],
)
def test_what_is_no_address_is_not_passed_on(site: Site, address: str) -> None:
    """Attack row 28: a script that answers nonsense denies, and nothing of it goes out."""
    client = scripted(site, REFUSING % json.dumps({"errorURI": address}))
    told = response_parameters(begun(site, client))
    assert told["error"] == "access_denied"
    assert "error_uri" not in told
    assert denial(site).startswith("script_error")


def test_a_message_is_one_line_that_fits_into_an_address(site: Site) -> None:
    client = scripted(site, REFUSING % "{ errorMessage: 'one\\r\\ntwo ' + 'x'.repeat(200000) }")
    told = response_parameters(begun(site, client))["error_description"]
    assert told.startswith("one  two xxx")
    assert len(told) == 1000
