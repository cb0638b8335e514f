"""A person with a browser that runs no JavaScript: it follows redirects, fills in forms and keeps cookies.

    browser = Browser(server.base_url)
    page = browser.get("/account")
    page = page.submit("login-submit", username="ada", password="…")

It talks to one origin and stops where that would be left: the page then says in `left_for` where it wanted to go.
"""

import http.client
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from tests.support.cookies import CookieJar
from tests.support.html import Element, fill_form, parse

_MAXIMUM_REDIRECTS = 10
_USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


@dataclass(frozen=True)
class Request:
    """A request that was made, or that would have left our origin."""

    method: str
    url: str
    fields: list[tuple[str, str]] = field(default_factory=list)

    @property
    def parameters(self) -> dict[str, str]:
        """Of the query and the fragment, and the form's fields."""
        parts = urlsplit(self.url)
        query = parse_qsl(parts.query, keep_blank_values=True) + parse_qsl(parts.fragment, keep_blank_values=True)
        return dict(query + self.fields)


class Page:
    """An answer: `status`, `url` (after redirects), `text`, and the redirects that led here."""

    def __init__(
        self, browser: "Browser", url: str, status: int, headers: Sequence[tuple[str, str]], body: bytes
    ) -> None:
        self.url = url
        self.status = status
        self.headers = list(headers)
        self.body = body
        self.text = body.decode("utf-8", "replace")
        self.left_for: Request | None = None
        self.redirects: list[Page] = []
        self._browser = browser
        self._document: Element | None = None

    @property
    def document(self) -> Element:
        if self._document is None:
            self._document = parse(self.text)
        return self._document

    def header(self, name: str) -> str | None:
        """A header's value; several are joined by commas (RFC 9110 §5.3)."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    def has(self, id: str) -> bool:
        return any(element.id == id for element in self.document.all())

    def element(self, id: str) -> Element:
        """Raises AssertionError, with what the page says, when there is no such element."""
        found = [element for element in self.document.all() if element.id == id]
        assert found, f"no element {id!r} on {self}"
        assert len(found) == 1, f"{len(found)} elements {id!r} on {self}"
        return found[0]

    def click(self, id: str) -> "Page":
        """Follow a link, or press a button without filling in anything."""
        element = self.element(id)
        if element.tag == "a":
            return self._browser.navigate(Request("GET", urljoin(self.url, element.attributes["href"])), source=self)
        return self.submit(id)

    def submit(
        self, button: str, *, forged: Mapping[str, str] | None = None, **values: str | bool | Sequence[str]
    ) -> "Page":
        """Fill in fields by name or id and press the button of that id.

        `forged` replaces or adds fields that a person could not fill in, such as hidden ones, as an attacker would.
        """
        form = fill_form(self.document, self.element(button), values)
        forgery = forged or {}
        fields = [(name, value) for name, value in form.fields if name not in forgery] + list(forgery.items())
        url = urljoin(self.url, form.action)
        if form.method == "GET":
            return self._browser.navigate(Request("GET", _with_query(url, fields)), source=self)
        return self._browser.navigate(Request("POST", url, fields), source=self)

    def __str__(self) -> str:
        left = f", left for {self.left_for.method} {self.left_for.url}" if self.left_for else ""
        return f"{self.status} {self.url}{left}: {self.document.text[:400] or self.text[:400]!r}"


class Browser:
    """One browser of one person. `headers` go with every request, `now` (seconds) decides which cookies expired."""

    def __init__(
        self, base_url: str, *, headers: Mapping[str, str] | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.cookies = CookieJar(now)
        self.headers = {"User-Agent": _USER_AGENT, "Accept": "text/html,*/*;q=0.8", "Accept-Language": "en"}
        self.headers |= headers or {}

    def get(self, url: str, *, from_site: str | None = None) -> Page:
        """Open an address: typed in, or, with `from_site`, by a link on a page there (`https://shop.example/`)."""
        return self.navigate(Request("GET", urljoin(self.base_url + "/", url)), source=from_site)

    def post(self, url: str, fields: Mapping[str, str], *, from_site: str | None = None) -> Page:
        """Send a form from a page of ours, or from one at `from_site`, as a cross-site attacker would."""
        request = Request("POST", urljoin(self.base_url + "/", url), list(fields.items()))
        return self.navigate(request, source=from_site or self.base_url + "/")

    def navigate(self, request: Request, *, source: "Page | str | None") -> Page:
        """Make a request and follow its redirects until a page shows or our origin would be left."""
        redirects: list[Page] = []
        while True:
            if origin(request.url) != origin(self.base_url):
                return self._leave(request, redirects, source)
            page = self._send(request, source)
            page.redirects = redirects
            location = page.header("location")
            if page.status not in (301, 302, 303, 307, 308) or location is None:
                return page
            assert len(redirects) < _MAXIMUM_REDIRECTS, f"redirected in a circle: {page}"
            redirects = [*redirects, page]
            request = _redirected(request, page.status, urljoin(request.url, location))

    def _leave(self, request: Request, redirects: list[Page], source: "Page | str | None") -> Page:
        """The last answer of ours, with where the browser would go now."""
        if redirects:
            page = redirects.pop()
        elif isinstance(source, Page):
            page = Page(self, source.url, source.status, source.headers, source.body)
        else:
            raise AssertionError(f"{request.url} is not on {self.base_url}")
        page.left_for = request
        return page

    def _send(self, request: Request, source: "Page | str | None") -> Page:
        headers = self.headers | _fetch_metadata(request, source)
        cross_site = headers["Sec-Fetch-Site"] == "cross-site"
        cookies = self.cookies.header(request.url, cross_site=cross_site, safe_navigation=request.method == "GET")
        if cookies:
            headers["Cookie"] = cookies
        body: bytes | None = None
        if request.method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(request.fields).encode()
        page = self._exchange(request, headers, body)
        for name, header in page.headers:
            if name.lower() == "set-cookie":
                self.cookies.store(request.url, header)
        return page

    def _exchange(self, request: Request, headers: dict[str, str], body: bytes | None) -> Page:
        parts = urlsplit(request.url)
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        # A connection each, so that a browser needs no closing and a server may be restarted between two pages.
        with closing(http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=60)) as connection:
            connection.request(request.method, target, body, headers)
            response = connection.getresponse()
            return Page(self, request.url, response.status, response.getheaders(), response.read())


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _site(url: str) -> tuple[str, str]:
    """Scheme and registrable domain, near enough: the last two labels, or the whole address."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    numeric = host.replace(".", "").isdecimal() or ":" in host
    return parts.scheme, host if numeric else ".".join(host.split(".")[-2:])


def _fetch_metadata(request: Request, source: "Page | str | None") -> dict[str, str]:
    """Origin, Referer and Sec-Fetch-* of a top-level navigation (Fetch §3.1, W3C Fetch Metadata §2)."""
    headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1"}
    if source is None:
        return headers | {"Sec-Fetch-Site": "none"}
    url = source.url if isinstance(source, Page) else source
    policy = source.header("referrer-policy") if isinstance(source, Page) else None
    same_origin = origin(url) == origin(request.url)
    if same_origin:
        headers["Sec-Fetch-Site"] = "same-origin"
    else:
        headers["Sec-Fetch-Site"] = "same-site" if _site(url) == _site(request.url) else "cross-site"
    shown = policy != "no-referrer" and (same_origin or policy != "same-origin")
    if shown:
        full = same_origin and policy not in ("origin", "strict-origin")
        headers["Referer"] = urlunsplit((*urlsplit(url)[:4], "")) if full else origin(url) + "/"
    if request.method == "POST":
        headers["Origin"] = origin(url) if shown else "null"
    return headers


def _redirected(request: Request, status: int, url: str) -> Request:
    """Fetch §4.4: 307 and 308 repeat the request, the others become a GET."""
    if status in (307, 308):
        return Request(request.method, url, request.fields)
    return Request("GET", url)


def _with_query(url: str, fields: list[tuple[str, str]]) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(fields), ""))
