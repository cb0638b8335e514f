"""Software that others wrote, signing in against the running server."""

from collections.abc import Iterator

import pytest

from tests.support.client_site import ClientSite


@pytest.fixture
def application_site() -> Iterator[ClientSite]:
    site = ClientSite()
    yield site
    site.close()
