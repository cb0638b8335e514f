"""Real Chromium against real servers: one in demo mode, and the run's own, which is not."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.client_site import ClientSite
from tests.support.server import RunningServer

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """`identity serve --demo` as a newcomer starts it: on the embedded database, with a data folder of its own."""
    running = RunningServer("sqlite", tmp_path_factory.mktemp("demo"), demo="true")
    running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def application_site() -> Iterator[ClientSite]:
    site = ClientSite()
    yield site
    site.close()


@pytest.fixture
def quick_page(chromium_page: "Page") -> "Page":
    """A page in a fresh profile that gives up soon, so that a broken journey fails with its own message."""
    chromium_page.set_default_timeout(15_000)
    return chromium_page
