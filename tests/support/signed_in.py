"""A person in a browser who signed in to an application, and may sign out again."""

from typing import Any
from urllib.parse import urlencode

from tests.support.browser import Browser, Page
from tests.support.builders import Client, Person, Site, claims_of, response_parameters

BACK = "https://app.example/bye"


class SignedIn:
    """`client` by default may lead back to BACK; `browser` may be one that is signed in already."""

    def __init__(
        self,
        site: Site,
        client: Client | None = None,
        person: Person | None = None,
        *,
        browser: Browser | None = None,
        **parameters: str | None,
    ) -> None:
        self.site = site
        self.client = client or site.application(post_logout_redirect_uris=(BACK, f"{BACK}?x=1"))
        self.browser = browser or site.browser()
        self.person = person or site.jane
        page = site.sign_in(self.client, self.person, browser=self.browser, **parameters)
        if page.has("consent-allow"):
            page = page.submit("consent-allow")
        self.response = response_parameters(page)
        self.tokens: dict[str, Any] = site.redeem(self.client, self.response["code"]).json()

    @property
    def hint(self) -> str:
        token = self.tokens["id_token"]
        assert isinstance(token, str)
        return token

    @property
    def sid(self) -> str:
        sid = claims_of(self.hint)["sid"]
        assert isinstance(sid, str)
        return sid

    def url(self, **parameters: str) -> str:
        return f"{self.site.base}/oidc/logout?{urlencode(parameters)}"

    def logout(self, **parameters: str) -> Page:
        return self.browser.get(self.url(**parameters))

    def signed_in(self) -> bool:
        page = self.browser.get(self.site.authorize_url(self.client, prompt="none"))
        return "code" in response_parameters(page)

    def active(self) -> bool:
        return self.site.is_active(self.client, self.tokens["access_token"])

    def end_on_the_account_page(self, sid: str) -> Page:
        """End one of the person's sessions, as their account page does."""
        page = self.browser.get(f"{self.site.base}/account")
        token = next(field for field in page.document.all("input") if field.attributes.get("name") == "csrf_token")
        fields = {"csrf_token": token.attributes["value"], "end_session": sid}
        return self.browser.post(f"{self.site.base}/account", fields)
