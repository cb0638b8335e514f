"""What is asked first is settled with the authorization request: loading the page then changes nothing."""

import pytest

from identity.administration.context import Administration
from identity.storage.login_flows import find_login_flow
from tests.support.builders import Site, response_parameters
from tests.support.scripts import begun, steps, with_password

pytestmark = pytest.mark.any_engine


def version_of(site: Site, flow: str) -> int:
    async def read(administration: Administration) -> int:
        row = await find_login_flow(administration.database, site.tenant.id, flow, administration.clock.now())
        assert row is not None
        return row.version

    return site.administer(read)


@pytest.mark.parametrize(
    "first", [("BasicAuthenticator",), ("BasicAuthenticator", "FIDOAuthenticator"), ("IdentifierExecutor",)], ids=str
)
def test_loading_the_page_writes_nothing(site: Site, first: tuple[str, ...]) -> None:
    client = site.application(sign_in_steps=steps(first, ("BasicAuthenticator",)))
    browser = site.browser()
    page = begun(site, client, browser)
    flow = page.url.rpartition("/")[2].partition("?")[0]
    assert version_of(site, flow) == 1
    browser.get(page.url)
    assert version_of(site, flow) == 1
    assert site.events()[-1]["type"] == "tenant:application:created"


def test_the_first_step_is_still_asked_of_whoever_comes(site: Site) -> None:
    client = site.application(sign_in_steps=steps(("BasicAuthenticator",)))
    page = begun(site, client)
    assert "code" in response_parameters(with_password(page, site.jane))
