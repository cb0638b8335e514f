"""What neighbours' servers do and this one does not (decision 7); their callers never ask for it."""

import pytest

from identity.administration import applications
from identity.domain.applications import DEVICE_CODE
from identity.errors import IdentityError
from tests.support.builders import Pkce, Site, response_parameters
from tests.support.in_process import TimedSite


@pytest.mark.any_engine
def test_no_answer_is_a_script(site: Site) -> None:
    client = site.machine()
    form = {"token": site.machine_token(client), "callback": "steal"}
    response = site.http.post("/oauth2/revoke", data=form, auth=client.basic)
    assert (response.status_code, response.content) == (200, b"")
    assert "javascript" not in response.headers.get("content-type", "")


@pytest.mark.any_engine
@pytest.mark.parametrize("form", [{}, {"token": ""}])
def test_errors_are_codes_of_the_specification(site: Site, form: dict[str, str]) -> None:
    client = site.machine()
    response = site.http.post("/oauth2/introspect", data=form, auth=client.basic)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@pytest.mark.any_engine
@pytest.mark.parametrize("address", ["regexp=(https://a.example/cb|https://b.example/cb)", "https://[ab].example/cb"])
def test_no_redirect_address_is_an_expression(site: Site, address: str) -> None:
    with pytest.raises(IdentityError):
        site.application(redirect_uris=(address,))
    client = site.application(redirect_uris=("https://app.example/cb.*",))
    page = site.browser().get(site.authorize_url(client, redirect_uri="https://app.example/cbx"))
    assert (page.status, page.header("location")) == (400, None)


@pytest.mark.any_engine
def test_no_plain_code_challenge(site: Site) -> None:
    verifier = Pkce().verifier
    for client in (site.application(), site.public_application()):
        for method in ({"code_challenge_method": "plain"}, {"code_challenge_method": None}):
            page = site.browser().get(site.authorize_url(client, code_challenge=verifier, **method))
            assert response_parameters(page)["error"] == "invalid_request"


def test_every_answer_is_a_token_of_its_own(site: Site) -> None:
    client = site.machine()
    assert len({site.machine_token(client) for _ in range(3)}) == 3


@pytest.mark.parametrize(("after", "status"), [(59, 200), (61, 400)])
def test_codes_live_for_a_minute(timed: TimedSite, after: int, status: int) -> None:
    client = timed.application()
    code = timed.code(client, timed.jane)
    timed.clock.advance(after)
    assert timed.redeem(client, code).status_code == status


@pytest.mark.any_engine
def test_user_codes_have_eight_letters(site: Site) -> None:
    client = site.application(grant_types=(DEVICE_CODE,), redirect_uris=())
    answer = site.http.post("/oauth2/device_authorize", data={"scope": "openid"}, auth=client.basic).json()
    assert len(answer["user_code"].replace("-", "")) == 8


@pytest.mark.any_engine
@pytest.mark.parametrize("setting", ["id_token_encrypted_response_alg", "request_object_encryption_alg"])
def test_no_encryption_by_pkcs1(site: Site, setting: str) -> None:
    client = site.application()
    with pytest.raises(IdentityError):
        site.administer(
            lambda a: applications.update_application(a, site.tenant, client.client_id, {setting: "RSA1_5"})
        )
