"""Rich authorization requests (RFC 9396): what is refused, what a person is shown, and where the granted details go."""

import json
from typing import Any

import httpx
import pytest

from identity.administration.context import Administration
from identity.domain.applications import RESPONSE_TYPES
from identity.errors import IdentityError
from identity.oauth2.authorization_details import MAXIMUM_OBJECTS
from identity.storage.api_resources import insert_details_type
from tests.support.authorization import api, carried, payment, payment_type, push, request_object, signing_client
from tests.support.browser import Browser, Page
from tests.support.builders import Client, Site, claims_of, response_parameters
from tests.support.key_holder import KeyHolder

pytestmark = pytest.mark.long

TYPES = ("payment", "https://bank.example/accounts")


@pytest.fixture
def client(site: Site) -> Client:
    api(site, "https://bank.example/api", payment_type(), payment_type(TYPES[1], schema={}, name="", description=""))
    return site.application("Shop", authorization_details_types=TYPES)


def ask(site: Site, client: Client, details: Any, *, browser: Browser | None = None, **parameters: str | None) -> Page:
    text = details if isinstance(details, str) else json.dumps(details)
    return site.sign_in(client, site.jane, browser=browser, **({"authorization_details": text} | parameters))


def code_of(site: Site, client: Client, *details: Any) -> str:
    return response_parameters(ask(site, client, list(details)))["code"]


def token_request(site: Site, client: Client, details: Any, **form: str) -> httpx.Response:
    return site.token(client, authorization_details=json.dumps(details), **form)


@pytest.mark.spec("RFC 9396", "7")
@pytest.mark.spec("RFC 9396", "9.1")
@pytest.mark.spec("RFC 9396", "9.2")
@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_granted_details_are_in_the_answer_the_token_and_introspection(site: Site, client: Client, kind: str) -> None:
    site.update(client, access_token_type=kind)
    tokens = site.redeem(client, code_of(site, client, payment())).json()
    assert tokens["authorization_details"] == [payment()]
    assert site.introspect(client, tokens["access_token"])["authorization_details"] == [payment()]
    if kind == "jwt":
        assert claims_of(tokens["access_token"])["authorization_details"] == [payment()]
    again = site.refresh(client, tokens["refresh_token"]).json()
    assert again["authorization_details"] == [payment()]


@pytest.mark.spec("RFC 9396", "5")
@pytest.mark.parametrize(
    "details",
    [
        "[" * 900 + "]" * 900,
        "", "x", "{}", "[]", "[1]", "[[]]", '["payment"]', "null", "true", '[{"actions":["initiate"]}]', '[{"type":7}]',
        '[{"type":"payment","type":"payment"}]', '[{"type":"payment","instructedAmount":NaN}]',
        '[{"type":"payment","a":1e999}]', '[{"type":"payment","a":"\\ud800"}]', '[{"type":"payment"},]',
        [payment(type="unknown")], [payment(type="Payment")],
        [payment(actions="initiate")], [payment(actions=["initiate", "steal"])], [payment(actions=[7])],
        [payment(instructedAmount={"currency": "EUR"})], [payment(instructedAmount={"currency": "USD", "amount": "1"})],
        [payment(instructedAmount={"currency": "EUR", "amount": 1})], [payment(instructedAmount="EUR 1")],
        [payment(instructedAmount={"currency": "EUR", "amount": "1", "limit": "none"})],
        [payment(creditorName="x" * 71)], [payment(surprise=True)], [payment(locations="https://bank.example")],
        [{"type": "payment", "actions": ["initiate"]}], [payment(), payment(type="unknown")],
        [payment()] * (MAXIMUM_OBJECTS + 1),
        [{"type": TYPES[1], "a": [[[[[[1]]]]]]}], [{"type": TYPES[1], "identifier": 7}],
        [{"type": TYPES[1], "datatypes": [None]}], [payment(creditorName="x" * 8000)],
    ],
    ids=lambda details: json.dumps(details)[:70],
)  # fmt: skip
@pytest.mark.any_engine
def test_what_does_not_conform_is_refused(site: Site, client: Client, details: Any) -> None:
    text = details if isinstance(details, str) else json.dumps(details)
    if not text:
        assert "code" in response_parameters(ask(site, client, text))
        return
    refused = response_parameters(site.browser().get(site.authorize_url(client, authorization_details=text)))
    too_long = len(text) > 8192
    assert refused["error"] == ("invalid_request" if too_long else "invalid_authorization_details")
    assert refused["error_description"]
    assert push(site, client, authorization_details=text).json()["error"] == refused["error"]


def test_bounds_that_are_just_kept(site: Site, client: Client) -> None:
    assert "code" in response_parameters(ask(site, client, [{"type": TYPES[1], "a": [[[[1]]]]}] * MAXIMUM_OBJECTS))


def test_only_types_that_the_application_may_use(site: Site, client: Client) -> None:
    other = site.application("Other", authorization_details_types=(TYPES[1],))
    for each in (other, site.application("None")):
        url = site.authorize_url(each, authorization_details=json.dumps([payment()]))
        assert response_parameters(site.browser().get(url))["error"] == "invalid_authorization_details"


def test_a_type_whose_schema_cannot_be_applied(site: Site) -> None:
    """A rule that we could not check would be a promise that is not kept. An older release may have stored one."""
    odd = payment_type("odd", schema={"type": "object", "oneOf": [{}]})
    with pytest.raises(IdentityError, match="oneOf"):
        api(site, "https://odd.example", odd)

    async def store(administration: Administration) -> None:
        async with administration.database.transaction() as transaction:
            await insert_details_type(transaction, site.tenant.id, odd)

    site.administer(store)
    client = site.application(authorization_details_types=("odd",))
    url = site.authorize_url(client, authorization_details='[{"type":"odd"}]')
    assert response_parameters(site.browser().get(url))["error"] == "invalid_authorization_details"


class TestConsent:
    @pytest.fixture
    def asking(self, site: Site, client: Client) -> Client:
        site.update(client, skip_consent=False)
        return client

    @pytest.mark.spec("RFC 9396", "10")
    def test_a_person_sees_all_of_it_in_words(self, site: Site, asking: Client) -> None:
        text = ask(site, asking, [payment()]).document.text
        for word in ("A payment", "One transfer from your account.", "Amount", "EUR", "12.50", "It may",
                     "initiate, status", "Creditor name", "Garden Ltd"):  # fmt: skip
            assert word in text, word

    def test_it_is_asked_each_time(self, site: Site, asking: Client) -> None:
        browser = site.browser()
        for _ in range(2):
            page = ask(site, asking, [payment()], browser=browser)
            page = page.submit("consent-allow")
            tokens = site.redeem(asking, response_parameters(page)["code"]).json()
            assert tokens["authorization_details"] == [payment()]
        url = site.authorize_url(asking, authorization_details=json.dumps([payment()]), prompt="none")
        assert response_parameters(browser.get(url))["error"] == "consent_required"
        assert "code" in response_parameters(browser.get(site.authorize_url(asking, prompt="none")))

    def test_refused_as_a_whole(self, site: Site, asking: Client) -> None:
        page = ask(site, asking, [payment()]).submit("consent-deny")
        assert response_parameters(page)["error"] == "access_denied"

    def test_details_without_a_scope(self, site: Site, asking: Client) -> None:
        page = ask(site, asking, [payment()], scope=None)
        assert not page.document.all("fieldset")
        tokens = site.redeem(asking, response_parameters(page.submit("consent-allow"))["code"]).json()
        assert tokens["authorization_details"] == [payment()]
        assert "scope" not in tokens

    def test_scopes_that_are_left_out_do_not_change_the_details(self, site: Site, asking: Client) -> None:
        page = ask(site, asking, [payment()], scope="openid email")
        page = page.submit("consent-allow", scope=[])
        tokens = site.redeem(asking, response_parameters(page)["code"]).json()
        assert (tokens["scope"], tokens["authorization_details"]) == ("openid", [payment()])

    def test_details_added_to_the_form(self, site: Site, asking: Client) -> None:
        page = ask(site, asking, [payment()])
        forged = json.dumps([payment(creditorName="Thief")])
        page = page.submit("consent-allow", forged={"authorization_details": forged, "details": forged})
        tokens = site.redeem(asking, response_parameters(page)["code"]).json()
        assert tokens["authorization_details"] == [payment()]

    def test_hostile_text(self, site: Site, asking: Client) -> None:
        """Attack row 12."""
        hostile = "</dd><script>alert(1)</script>"
        page = ask(site, asking, [payment(creditorName=hostile), {"type": TYPES[1], hostile: {hostile: [hostile]}}])
        assert "<script>alert" not in page.text
        assert page.text.count("&lt;/dd&gt;&lt;script&gt;") >= 3

    def test_with_consent_switched_off(self, site: Site, client: Client) -> None:
        browser = site.browser()
        assert "code" in response_parameters(ask(site, client, [payment()], browser=browser))
        page = ask(site, client, [payment()], browser=browser, prompt="consent")
        assert "Garden Ltd" in page.document.text


class TestNarrowing:
    """RFC 9396 §6.1: less, never more."""

    def redeem(self, site: Site, client: Client, code: str, details: Any) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect_uri}
        return token_request(site, client, details, **form)

    @pytest.mark.spec("RFC 9396", "6.1")
    def test_fewer_objects_and_fewer_values(self, site: Site, client: Client) -> None:
        other = {"type": TYPES[1], "actions": ["read"]}
        code = code_of(site, client, payment(), other)
        less = [payment(actions=["status"])]
        tokens = self.redeem(site, client, code, less).json()
        assert tokens["authorization_details"] == less
        assert site.introspect(client, tokens["access_token"])["authorization_details"] == less
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        again = token_request(site, client, [other], **form).json()
        assert again["authorization_details"] == [other]
        whole = site.refresh(client, again["refresh_token"]).json()
        assert whole["authorization_details"] == [payment(), other]

    @pytest.mark.parametrize(
        "details",
        [
            [payment(actions=["initiate", "cancel"])], [payment(actions=[])], [payment(creditorName="Thief")],
            [payment(instructedAmount={"currency": "EUR", "amount": "12000"})], [{"type": TYPES[1]}],
            [{key: value for key, value in payment().items() if key != "creditorName"}],
            [payment(locations=["https://bank.example"])], [payment(), {"type": TYPES[1]}], [payment(type="unknown")],
            [], {},
        ],
        ids=lambda details: json.dumps(details)[:60],
    )  # fmt: skip
    @pytest.mark.any_engine
    def test_anything_else(self, site: Site, client: Client, details: Any) -> None:
        code = code_of(site, client, payment())
        response = self.redeem(site, client, code, details)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_authorization_details")
        assert site.redeem(client, code).json()["authorization_details"] == [payment()]

    def test_nothing_was_granted(self, site: Site, client: Client) -> None:
        response = self.redeem(site, client, site.code(client, site.jane), [payment()])
        assert (response.status_code, response.json()["error"]) == (400, "invalid_authorization_details")


@pytest.mark.spec("RFC 9396", "6")
def test_client_credentials(site: Site, client: Client) -> None:
    machine = site.machine(authorization_details_types=("payment",))
    answer = token_request(site, machine, [payment()], grant_type="client_credentials").json()
    assert answer["authorization_details"] == [payment()]
    assert site.introspect(machine, answer["access_token"])["authorization_details"] == [payment()]
    for refused in (site.machine(), machine):
        details = [payment()] if refused is not machine else [payment(actions=["steal"])]
        response = token_request(site, refused, details, grant_type="client_credentials")
        assert response.json()["error"] == "invalid_authorization_details"


def test_a_token_of_the_front_channel(site: Site, client: Client) -> None:
    site.update(client, response_types=RESPONSE_TYPES)
    answer = carried(ask(site, client, [payment()], response_type="token"))[1]
    assert site.introspect(client, answer["access_token"])["authorization_details"] == [payment()]


@pytest.mark.spec("RFC 9396", "3")
@pytest.mark.parametrize("as_text", [True, False], ids=["text", "JSON"])
def test_in_a_request_object(site: Site, client: Client, as_text: bool) -> None:
    holder = KeyHolder()
    signing = signing_client(site, holder, authorization_details_types=TYPES)
    details: Any = json.dumps([payment()]) if as_text else [payment()]
    token = request_object(site, signing, holder, authorization_details=details)
    page = site.browser().get(site.authorize_url(signing, request=token))
    page = page.submit("login-submit", username="jane", password=site.jane.password)
    tokens = site.redeem(signing, response_parameters(page)["code"]).json()
    assert tokens["authorization_details"] == [payment()]
