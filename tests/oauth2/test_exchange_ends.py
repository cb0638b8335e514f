"""What a token was exchanged for ends with what it came from (RFC 8693 §5): session, grant, a whole chain of them."""

import pytest

from identity.domain.applications import TOKEN_EXCHANGE
from tests.support.builders import Site
from tests.support.exchange import exchanged, portal, service, tokens_in

REFRESHING = (TOKEN_EXCHANGE, "refresh_token")


def test_it_ends_with_the_session_of_the_subject_token(site: Site) -> None:
    caller, browser = service(site, grant_types=(TOKEN_EXCHANGE, "refresh_token")), site.browser()
    tokens = tokens_in(site, portal(site, caller), browser)
    answer = exchanged(site, caller, tokens["access_token"])
    browser.get(f"{site.base}/oidc/logout").submit("logout-confirm")
    assert not site.is_active(caller, answer["access_token"])
    assert site.refresh(caller, answer["refresh_token"]).status_code == 400


@pytest.mark.spec("RFC 7009", "2.1")
@pytest.mark.parametrize("form", ["opaque", "jwt"])
def test_it_ends_with_the_grant_of_the_subject_token(site: Site, form: str) -> None:
    """A chain of exchanges has one root: when that is taken back, nothing made from it lives on."""
    last = service(site, access_token_type=form)
    middle = service(site, access_token_type=form, audiences=(last.client_id,), grant_types=REFRESHING)
    source = portal(site, middle)
    tokens = site.tokens(source, site.jane, scope="read")
    first = exchanged(site, middle, tokens["access_token"])
    second = exchanged(site, last, first["access_token"])
    assert site.is_active(last, second["access_token"])
    site.http.post("/oauth2/revoke", data={"token": tokens["refresh_token"]}, auth=source.basic)
    assert not site.is_active(middle, first["access_token"])
    assert not site.is_active(last, second["access_token"])
    assert site.refresh(middle, first["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_branch_that_ends_leaves_the_root_alone(site: Site) -> None:
    middle = service(site, grant_types=REFRESHING)
    source = portal(site, middle)
    tokens = site.tokens(source, site.jane, scope="read")
    first = exchanged(site, middle, tokens["access_token"])
    site.http.post("/oauth2/revoke", data={"token": first["refresh_token"]}, auth=middle.basic)
    assert not site.is_active(middle, first["access_token"])
    assert site.is_active(source, tokens["access_token"])
