"""Real Chromium through Playwright, and the check that a page is clean."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import pytest

from tests.support import outside

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # Nothing beyond loopback: other names do not resolve.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
]

_REPORT_VIOLATIONS = """document.addEventListener('securitypolicyviolation', event =>
    console.error(`CSP ${event.effectiveDirective} refused ${event.blockedURI} in ${event.sourceFile}`))"""

_problems: "WeakKeyDictionary[Page, list[str]]" = WeakKeyDictionary()


@pytest.fixture(scope="session")
def chromium(pytestconfig: pytest.Config) -> "Iterator[Browser]":
    """The system's Chromium, one for the run; `chromium_page` gives a test a profile of its own."""
    program = outside.find_program("chromium") or outside.find_program("chromium-browser")
    if program is None:
        outside.missing(pytestconfig, "Chromium", "chromium")
    from playwright.sync_api import sync_playwright

    playwright = sync_playwright().start()
    loop = asyncio.get_running_loop()
    browser = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
    yield browser
    asyncio._set_running_loop(loop)  # other tests may have run since; see `without_playwright_loop`
    browser.close()
    playwright.stop()


@contextmanager
def without_playwright_loop() -> Iterator[None]:
    """Let a test that uses no Chromium call `asyncio.run`.

    Playwright's synchronous interface keeps its event loop marked as this thread's running one from its start to its
    end, between its calls too, although the loop only runs within them.
    """
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(loop)


@pytest.fixture
def chromium_page(chromium: "Browser") -> "Iterator[Page]":
    """A page in a fresh profile. The test fails if the page complained, unless it called `forgive` first."""
    context = chromium.new_context(locale="en-GB")
    page = watched_page(context)
    yield page
    assert_clean(page)
    context.close()


def watched_page(context: "BrowserContext") -> "Page":
    """A new page of `context` whose complaints are collected for `assert_clean`."""
    context.add_init_script(_REPORT_VIOLATIONS)
    page = context.new_page()
    problems = _problems[page] = []

    def heard(message: "ConsoleMessage") -> None:
        problems.append(f"console {message.type}: {message.text} ({message.location.get('url')})")

    page.on("console", heard)
    page.on("pageerror", lambda error: problems.append(f"page error: {error}"))
    page.on("crash", lambda _: problems.append("the page crashed"))
    return page


def assert_clean(page: "Page") -> None:
    """No console message, no violation of the content security policy, no script error since the page was opened."""
    assert not _problems[page], "\n".join(_problems[page])


def forgive(page: "Page") -> list[str]:
    """What the page complained about until now; it counts no more."""
    problems = list(_problems[page])
    _problems[page].clear()
    return problems
