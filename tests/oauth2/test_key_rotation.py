"""Signing keys are rotated with overlap while the server runs (decision 14)."""

import pytest

from identity.administration import keys
from identity.domain.keys import SigningAlgorithm
from identity.errors import IdentityError
from identity.tokens.jose import read_header
from tests.support.builders import Site
from tests.support.in_process import TimedSite


def published(site: Site) -> list[str]:
    return [key["kid"] for key in site.http.get("/oauth2/jwks").json()["keys"]]


def kid(token: str) -> str:
    value = read_header(token)["kid"]
    assert isinstance(value, str)
    return value


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_new_key_is_published_before_it_signs_and_the_old_one_verifies_after(
    timed: TimedSite, algorithm: SigningAlgorithm
) -> None:
    client = timed.machine(access_token_type="jwt", access_token_algorithm=algorithm)
    old = timed.machine_token(client)
    new_key = timed.administer(lambda a: keys.rotate_key(a, timed.tenant, algorithm, overlap=60))
    timed.clock.advance(1)
    assert {kid(old), new_key.kid} <= set(published(timed))
    assert len(published(timed)) == 3
    assert kid(timed.machine_token(client)) == kid(old)
    timed.clock.advance(60)
    new = timed.machine_token(client)
    assert kid(new) == new_key.kid
    assert timed.is_active(client, new)
    assert timed.is_active(client, old)
    assert kid(old) in published(timed)


def test_a_running_server_signs_with_the_new_key_at_once_where_no_overlap_is_asked(site: Site) -> None:
    client = site.application(access_token_type="jwt", id_token_algorithm="ES256")
    before = site.tokens(client, site.jane)
    for algorithm in ("RS256", "ES256"):
        site.administer(lambda a, algorithm=algorithm: keys.rotate_key(a, site.tenant, algorithm, overlap=0))  # type: ignore[misc]
    after = site.refresh(client, before["refresh_token"]).json()
    for name in ("access_token", "id_token"):
        assert kid(before[name]) != kid(after[name])
    assert site.is_active(client, before["access_token"])


@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
def test_a_retired_key_still_verifies_an_id_token_hint(site: Site) -> None:
    client, browser = site.application(), site.browser()
    page = site.sign_in(client, site.jane, browser=browser)
    assert page.left_for is not None
    hint = site.redeem(client, page.left_for.parameters["code"]).json()["id_token"]
    site.administer(lambda a: keys.rotate_key(a, site.tenant, "RS256", overlap=0))
    again = browser.get(site.authorize_url(client, prompt="none", id_token_hint=hint))
    assert again.left_for is not None
    assert "code" in again.left_for.parameters


def test_a_forgotten_key_makes_what_it_signed_invalid_at_once(site: Site) -> None:
    client = site.machine(access_token_type="jwt")
    token = site.machine_token(client)
    with pytest.raises(IdentityError, match="rotate first"):
        site.administer(lambda a: keys.delete_retired_key(a, site.tenant, kid(token)))
    site.administer(lambda a: keys.rotate_key(a, site.tenant, "RS256", overlap=0))
    assert site.is_active(client, token)
    site.administer(lambda a: keys.delete_retired_key(a, site.tenant, kid(token)))
    assert not site.is_active(client, token)


def test_each_tenant_has_its_own_keys(site: Site) -> None:
    import httpx

    root = httpx.get(f"{site.server.base_url}/oauth2/jwks", trust_env=False).json()["keys"]
    assert not {key["kid"] for key in root} & set(published(site))
