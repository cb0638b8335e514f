"""What a real browser tells about a form's origin under our page headers, and under stricter ones."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from identity.web.csrf import same_origin
from identity.web.messages import Headers
from identity.web.security_headers import form_action_source, page_headers

if TYPE_CHECKING:
    from playwright.sync_api import Page

FORM = '<!doctype html><title>form</title><form method="post" action="{}"><button id="send">send</button></form>'


class Site:
    """A loopback site: `page` under `headers`; posts are kept and answered by a page or a redirect."""

    def __init__(self) -> None:
        self.page = ""
        self.headers: Headers = []
        self.leads_to = ""
        self.posts: list[Headers] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200, site.page if self.path == "/form" else "<!doctype html><title>arrived</title>")

            def do_POST(self) -> None:
                site.posts.append([(name.lower().encode(), value.encode()) for name, value in self.headers.items()])
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self._answer(303 if site.leads_to else 200, "<!doctype html><title>arrived</title>")

            def _answer(self, status: int, text: str) -> None:
                self.send_response(status)
                if status == 303:
                    self.send_header("location", site.leads_to)
                for name, value in site.headers:
                    self.send_header(name.decode(), value.decode())
                self.send_header("content-type", "text/html")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.port = int(self._server.server_address[1])
        self.origin = f"http://localhost:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def ours() -> Iterator[Site]:
    site = Site()
    site.page = FORM.format("/post")
    site.headers = page_headers(https=False)
    yield site
    site.close()


@pytest.fixture
def another() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


def send_form(page: "Page", address: str) -> None:
    page.goto(address)
    page.click("#send")
    page.wait_for_function("document.title === 'arrived'")


def test_our_own_form_is_recognised(chromium_page: "Page", ours: Site) -> None:
    send_form(chromium_page, ours.origin + "/form")
    headers = dict(ours.posts[0])
    assert headers[b"origin"] == ours.origin.encode()
    assert headers[b"sec-fetch-site"] == b"same-origin"
    assert same_origin(ours.posts[0], ours.origin)
    assert same_origin([(b"origin", headers[b"origin"])], ours.origin)  # where Sec-Fetch-Site is not sent: plain HTTP


def test_no_referrer_would_hide_the_origin_of_our_own_form(chromium_page: "Page", ours: Site) -> None:
    ours.headers = [
        (name, b"no-referrer" if name == b"referrer-policy" else value) for name, value in page_headers(https=False)
    ]
    send_form(chromium_page, ours.origin + "/form")
    headers = dict(ours.posts[0])
    assert headers[b"origin"] == b"null"
    assert same_origin(ours.posts[0], ours.origin)
    assert not same_origin([(b"origin", b"null")], ours.origin)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("policy", ["no-referrer", "unsafe-url"])
def test_another_sites_form_is_refused(
    chromium_page: "Page", ours: Site, another: Site, host: str, policy: str
) -> None:
    another.page = FORM.format(ours.origin + "/post")
    another.headers = [(b"referrer-policy", policy.encode())]
    send_form(chromium_page, f"http://{host}:{another.port}/form")
    assert len(ours.posts) == 1
    assert not same_origin(ours.posts[0], ours.origin)


def test_a_sandboxed_frame_of_another_site_is_refused(chromium_page: "Page", ours: Site, another: Site) -> None:
    frame = FORM.format(ours.origin + "/post").replace('"', "&quot;")
    another.page = f'<!doctype html><iframe sandbox="allow-forms" srcdoc="{frame}"></iframe>'
    ours.headers = []  # its answer would be refused in a frame, and the browser would say so
    chromium_page.goto(another.origin + "/form")
    with chromium_page.expect_response(lambda response: response.request.method == "POST"):
        chromium_page.frame_locator("iframe").locator("#send").click()
    assert dict(ours.posts[0])[b"origin"] == b"null"
    assert not same_origin(ours.posts[0], ours.origin)


def test_a_form_leads_on_to_the_redirect_uri(chromium_page: "Page", ours: Site, another: Site) -> None:
    ours.leads_to = f"http://127.0.0.1:{another.port}/cb?code=1"
    ours.headers = page_headers(form_action=(form_action_source(ours.leads_to),), https=False)
    send_form(chromium_page, ours.origin + "/form")
    assert chromium_page.url == ours.leads_to


def test_our_addresses_are_told_to_nobody(chromium_page: "Page", ours: Site, another: Site) -> None:
    ours.page = f'<!doctype html><a id="send" href="{another.origin}/form">on</a>'
    another.page = "<!doctype html><title>arrived</title>"
    send_form(chromium_page, ours.origin + "/form")
    assert chromium_page.evaluate("document.referrer") == ""
