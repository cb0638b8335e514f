"""One person's browser between an Apache and the server, as two of ours: each keeps to one origin."""

from tests.support.apache import Apache
from tests.support.browser import Browser, Page
from tests.support.builders import Person, Site


class TwoOrigins:
    """`here` is at the Apache, `there` at the server."""

    def __init__(self, site: Site, apache: Apache) -> None:
        self.here = Browser(apache.base_url)
        self.there = site.browser()

    def sign_in(self, address: str, person: Person) -> Page:
        """Ask for a protected page, sign in at the server, come back to the page."""
        away = self.here.get(address)
        assert away.left_for is not None, away
        page = self.there.get(away.left_for.url, from_site=self.here.base_url)
        if page.has("login-submit"):
            page = page.submit("login-submit", username=person.username, password=person.password)
        return self.back(page)

    def back(self, page: Page) -> Page:
        """To the Apache with an authorization response, by redirect or by form."""
        if page.left_for is None and page.has("form-post"):
            page = page.submit("form-post-submit")
        assert page.left_for is not None, page
        if page.left_for.method == "POST":
            return self.here.post(page.left_for.url, dict(page.left_for.fields), from_site=self.there.base_url)
        return self.here.get(page.left_for.url, from_site=self.there.base_url)
