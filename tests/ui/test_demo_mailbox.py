"""The mailbox of demo mode: what was captured, in a browser; and that nobody else has such a page."""

from typing import TYPE_CHECKING, Any

import pytest

from identity.domain.mail import MailContent
from identity.domain.tenants import ROOT_TENANT
from identity.ids import new_id
from identity.secrets import Sealer
from identity.storage.captured_mail import capture
from identity.storage.database import Database
from tests.support.builders import Site
from tests.support.chromium import assert_clean, watched_page
from tests.support.server import RunningServer
from tests.ui.test_looks import BRIGHTNESS, LOOKS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SUBJECT = "Code <b>for</b> you"


@pytest.fixture
def mail(demo: RunningServer) -> str:
    """The id of a captured mail."""
    id = new_id()
    content = MailContent(
        to="ada@example.org", template="test", locale="en", subject=SUBJECT, text="482913\n<script>\n", html="<p>x</p>"
    )

    async def keep(database: Database) -> None:
        from identity.clock import Clock

        sealer = Sealer.from_master_keys(bytes.fromhex(demo.master_key))
        await capture(database, sealer, ROOT_TENANT, id=id, content=content, now=Clock().now())

    demo.run(keep)
    return id


@pytest.mark.parametrize("look", LOOKS)
def test_the_mailbox(chromium: "Browser", demo: RunningServer, mail: str, look: str, tmp_path: Any) -> None:
    page = watched_page(chromium.new_context(**({"locale": "en-GB"} | LOOKS[look])))
    page.set_default_timeout(15_000)

    def check(name: str) -> None:
        page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
        brightness = page.evaluate(BRIGHTNESS)
        assert brightness < 80 if "dark" in look else brightness > 200, f"{name}: {brightness}"

    page.goto(demo.base_url)
    page.click("#demo-mailbox")
    assert SUBJECT in page.inner_text("#mails")
    check("mailbox")
    page.click(f"#mails a[href$='{mail}']")
    assert page.inner_text("#mail-subject") == SUBJECT
    assert page.inner_text("#mail-text").strip() == "482913\n<script>"
    check("mail")
    page.click("#mailbox")
    page.wait_for_selector("#mails")
    assert_clean(page)
    page.context.close()


def test_outside_demo_mode_there_is_none(site: Site) -> None:
    for path in ("/demo/mailbox", "/demo/mailbox/1"):
        assert site.http.get(path).status_code == 404
        assert site.http.get(site.server.base_url + path).status_code == 404
