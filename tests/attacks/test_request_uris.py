"""Attack rows 10, 14, 30 and 34 at the authorization endpoint: a `request_uri` of another client, twice, or at another
door; parameters smuggled beside a request; responses bent to another mode or address."""

import asyncio
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.attacks.targets import location_parameters, raw_cookies
from tests.support.authorization import carried, pushed_uri, pushed_url, request_object, signing_client
from tests.support.builders import CALLBACK, Client, Site, response_parameters
from tests.support.key_holder import KeyHolder

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

HOLDER = KeyHolder()
PREFIX = "urn:ietf:params:oauth:request_uri:"


def shown_as_error(site: Site, url: str) -> bool:
    page = site.browser().get(url)
    assert page.left_for is None, str(page)
    return page.has("error-page")


class TestCrossUse:
    @pytest.mark.spec("RFC 9126", "2.2")
    def test_by_another_client(self, site: Site) -> None:
        owner, thief = site.application(), site.application("Thief", redirect_uris=("https://evil.example/cb",))
        uri = pushed_uri(site, owner)
        assert shown_as_error(site, pushed_url(site, thief, uri))
        assert site.browser().get(pushed_url(site, owner, uri)).has("login-submit")

    def test_in_another_tenant(self, site: Site) -> None:
        other = Site(site.server, f"{site.handle}b", site.tenant.settings)
        try:
            uri = pushed_uri(site, site.application(client_id="same-name"))
            client = other.application(client_id="same-name")
            assert shown_as_error(other, pushed_url(other, client, uri))
        finally:
            other.close()

    @pytest.mark.parametrize("change", ["cut", "longer", "case", "space", "other prefix", "doubled", "no prefix"])
    def test_changed(self, site: Site, change: str) -> None:
        client = site.application()
        uri = pushed_uri(site, client)
        value = uri.removeprefix(PREFIX)
        changed = {
            "cut": uri[:-1], "longer": uri + "A", "case": PREFIX + value.swapcase(), "space": uri + " ",
            "other prefix": "urn:ietf:params:oauth:request-uri:" + value, "doubled": uri + value, "no prefix": value,
        }[change]  # fmt: skip
        assert shown_as_error(site, pushed_url(site, client, changed))

    def test_as_a_code_or_token(self, site: Site) -> None:
        client = site.application()
        uri = pushed_uri(site, client)
        for value in (uri, uri.removeprefix(PREFIX), "ac_" + uri.removeprefix(PREFIX)):
            assert site.redeem(client, value).json()["error"] == "invalid_grant"
            assert site.refresh(client, value).json()["error"] == "invalid_grant"
            assert not site.is_active(client, value)

    def test_a_code_or_token_as_a_request_uri(self, site: Site) -> None:
        client = site.application()
        tokens = site.tokens(client, site.jane)
        for value in (site.code(client, site.jane), tokens["access_token"], tokens["refresh_token"]):
            for uri in (PREFIX + value, PREFIX + value[3:], value):
                assert shown_as_error(site, pushed_url(site, client, uri))

    def test_fifty_at_once_give_one_code(self, site: Site) -> None:
        """Attack row 14."""
        client, browser = site.application(), site.browser()
        site.sign_in(client, site.jane, browser=browser)
        cookies = "; ".join(f"{name}={value}" for name, value in raw_cookies(browser).items())
        url = pushed_url(site, client, pushed_uri(site, client))

        async def everybody() -> list[httpx.Response]:
            async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
                return await asyncio.gather(*(http.get(url, headers={"Cookie": cookies}) for _ in range(50)))

        responses = asyncio.run(everybody())
        statuses = Counter(response.status_code for response in responses)
        assert statuses[303] == 1, statuses
        assert statuses.keys() <= {303, 400, 410}
        codes = [location_parameters(response).get("code") for response in responses if response.status_code == 303]
        assert codes[0] is not None
        assert site.redeem(client, codes[0]).status_code == 200


class TestSmuggling:
    """What stands beside a request that the application protected changes nothing."""

    EVIL: dict[str, str] = {  # noqa: RUF012
        "redirect_uri": "https://evil.example/", "response_mode": "fragment", "response_type": "token",
        "scope": "openid offline_access", "state": "evil", "nonce": "evil", "prompt": "none",
        "code_challenge": "x" * 43, "code_challenge_method": "S256", "login_hint": "mallory", "max_age": "0",
        "resource": "https://evil.example", "authorization_details": '[{"type":"all"}]', "claims": "{",
        "dpop_jkt": "y" * 43, "id_token_hint": "a.b.c", "acr_values": "9", "registration": "{}",
    }  # fmt: skip

    def outcome(self, site: Site, client: Client, url: str) -> None:
        page = site.browser().get(f"{url}&{urlencode(self.EVIL)}")
        assert page.has("login-submit"), str(page)
        assert "mallory" not in page.text
        page = page.submit("login-submit", username="jane", password=site.jane.password)
        assert page.left_for is not None
        assert page.left_for.url.startswith(f"{CALLBACK}?")
        assert page.left_for.parameters["state"] == "the-state"
        assert site.redeem(client, page.left_for.parameters["code"]).json()["scope"] == "openid"

    def test_beside_a_pushed_request(self, site: Site) -> None:
        client = site.application()
        self.outcome(site, client, pushed_url(site, client, pushed_uri(site, client)))

    def test_beside_a_signed_request(self, site: Site) -> None:
        client = signing_client(site, HOLDER)
        query = urlencode({"client_id": client.client_id, "request": request_object(site, client, HOLDER)})
        self.outcome(site, client, f"{site.base}/oauth2/authorize?{query}")

    def test_a_signed_request_beside_a_pushed_one(self, site: Site) -> None:
        client = signing_client(site, HOLDER)
        url = pushed_url(site, client, pushed_uri(site, client))
        token = request_object(site, client, HOLDER)
        assert shown_as_error(site, f"{url}&{urlencode({'request': token})}")

    def test_in_the_address_and_in_the_body(self, site: Site) -> None:
        client = site.application()
        url = pushed_url(site, client, pushed_uri(site, client))
        answer = site.http.post(url, data={"client_id": client.client_id, "response_type": "code"})
        assert (answer.status_code, answer.headers.get("location")) == (400, None)

    def test_an_application_that_signs_cannot_be_made_to_ask_without(self, site: Site) -> None:
        """Downgrade: leave the object out."""
        client = signing_client(site, HOLDER, require_signed_request_object=True)
        page = site.browser().get(site.authorize_url(client))
        assert response_parameters(page)["error"] == "invalid_request"
        fields = {"client_id": client.client_id, "response_type": "code", "redirect_uri": CALLBACK, "scope": "openid"}
        page = site.browser().post(f"{site.base}/oauth2/authorize", fields, from_site="https://evil.example/")
        assert response_parameters(page)["error"] == "invalid_request"


class TestWhereTheAnswerGoes:
    @pytest.mark.parametrize(
        "outside",
        [
            "https://evil.example/", "https://app.example/cb/", "https://app.example/cb?x", "javascript:alert(1)",
            "https://app.example/cb#x", "//evil.example", "https://app.example@evil.example/cb", "",
        ],
    )  # fmt: skip
    def test_errors_of_requests_that_cannot_be_read(self, site: Site, outside: str) -> None:
        """Attack row 10: no address is believed that is not registered to the letter, however the request failed."""
        client = signing_client(site, HOLDER, redirect_uris=(CALLBACK, "https://app.example/second"))
        for broken in (
            {"request": "a.b.c"}, {"request_uri": f"{PREFIX}unknown"}, {"request_uri": "https://evil.example/object"},
            {"request": "a.b.c", "request_uri": f"{PREFIX}unknown"},
        ):  # fmt: skip
            query = {"client_id": client.client_id, "response_type": "code", "redirect_uri": outside} | broken
            assert shown_as_error(site, f"{site.base}/oauth2/authorize?{urlencode(query)}")

    def test_an_address_inside_a_signed_request_is_checked_too(self, site: Site) -> None:
        client = signing_client(site, HOLDER)
        token = request_object(site, client, HOLDER, redirect_uri="https://evil.example/")
        query = {"client_id": client.client_id, "request": token, "redirect_uri": CALLBACK}
        assert shown_as_error(site, f"{site.base}/oauth2/authorize?{urlencode(query)}")

    @pytest.mark.parametrize("mode", ["query", "fragment", "form_post", "jwt", "fragment.jwt", "form_post.jwt"])
    def test_a_mode_cannot_be_bent_after_the_check(self, site: Site, mode: str) -> None:
        client, browser = site.application(), site.browser()
        page = browser.get(site.authorize_url(client, response_mode=mode))
        flow = page.url.rpartition("/")[2]
        page.submit("login-submit", username="jane", password=site.jane.password)
        other = browser.get(
            f"{site.base}/oauth2/authorize/{flow}?response_mode=query&redirect_uri=https://evil.example/"
        )
        assert other.left_for is None

    @pytest.mark.parametrize(
        "mode", ["query\r\nLocation: https://evil.example", "form_post ", "jwt.jwt", ".jwt", "direct"]
    )
    def test_modes_that_are_none(self, site: Site, mode: str) -> None:
        page = site.browser().get(site.authorize_url(site.application(), response_mode=mode))
        carrier, answer = carried(page)
        assert (carrier, answer["error"]) == ("query", "invalid_request")

    def test_every_response_names_its_issuer(self, site: Site) -> None:
        """Mix-up (RFC 9207): success and error, plain or signed."""
        client = site.application()
        parameters: list[dict[str, Any]] = [{}, {"response_mode": "fragment"}, {"response_mode": "form_post"}]
        for each in parameters:
            assert carried(site.sign_in(client, site.jane, **each))[1]["iss"] == site.issuer
            refused = site.browser().get(site.authorize_url(client, prompt="none", **each))
            assert carried(refused)[1]["iss"] == site.issuer
