"""Software that others wrote, signing in against the running server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.installation import installation, suite
from tests.support.apache import Apache, find_apache
from tests.support.client_site import ClientSite

__all__ = ["installation", "suite"]


@pytest.fixture
def application_site() -> Iterator[ClientSite]:
    site = ClientSite()
    yield site
    site.close()


@pytest.fixture
def apache(pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[Apache]:
    """Not started yet: the server has to know its address first."""
    running = Apache(find_apache(pytestconfig), tmp_path)
    try:
        yield running
    finally:
        running.stop()
