"""Software that others wrote, signing in against the running server."""

import tempfile
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


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that the Apache's unprivileged children read and write."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)
