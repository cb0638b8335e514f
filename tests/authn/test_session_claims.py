"""Claims that a script sets for one sign-in: its tokens tell them, in the place of what the store says."""

import json
from functools import partial
from typing import Any

import pytest

from identity.administration import users
from identity.administration.context import Administration
from identity.storage.configuration import TenantConfiguration
from tests.support.builders import Client, Site, claims_of, response_parameters
from tests.support.scripts import PASSWORD_STEP, begun, scripted, with_password
from userstores.spi import UserChanges

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

WSO2 = "http://wso2.org/claims/"
SCOPE = "openid profile email"


def setting(claims: dict[str, str], user: str = "c.currentKnownSubject") -> str:
    return f"""
    var onLoginRequest = function (context) {{
      executeStep(1, {{ onSuccess: function (c) {{
        var claims = {json.dumps(claims)};
        for (var uri in claims) {{ {user}.claims[uri] = claims[uri]; }}
      }} }});
    }};"""


def client_of(site: Site, claims: dict[str, str], **settings: Any) -> Client:
    told: dict[str, Any] = {"access_token_type": "jwt", "id_token_claims": "scopes", **settings}
    return scripted(site, setting(claims), PASSWORD_STEP, **told)


def everywhere(site: Site, tokens: dict[str, Any]) -> list[dict[str, Any]]:
    """The claims of ID token and userinfo."""
    return [claims_of(tokens["id_token"]), site.userinfo(tokens["access_token"]).json()]


def test_they_are_told_for_this_sign_in_alone(site: Site) -> None:
    client = client_of(site, {WSO2 + "givenname": "Janet", WSO2 + "nickname": "jj"}, access_token_claims=("nickname",))
    tokens = site.tokens(client, site.jane, scope=SCOPE)
    for claims in everywhere(site, tokens):
        assert (claims["given_name"], claims["nickname"], claims["name"]) == ("Janet", "jj", "Jane Doe")
    assert claims_of(tokens["access_token"])["nickname"] == "jj"
    other = site.tokens(site.application("Other", id_token_claims="scopes"), site.jane, scope=SCOPE)
    for claims in everywhere(site, other):
        assert "nickname" not in claims, "nothing went into the store"


def test_they_stay_when_tokens_are_refreshed_and_the_person_changes(site: Site) -> None:
    settings: dict[str, Any] = {"access_token_claims": ("nickname",), "refresh_without_offline_access": True}
    client = client_of(site, {WSO2 + "nickname": "jj"}, **settings)
    tokens = site.tokens(client, site.jane, scope=SCOPE)
    for name in ("Jane Roe", "Jane Poe"):
        changed = UserChanges(attributes={"name": name, "nickname": "stored"})
        site.in_tenant(partial(_update, changed))
        for _ in range(2):
            answer = site.userinfo(tokens["access_token"]).json()
            assert (answer["name"], answer["nickname"]) == (name, "jj")
    again = site.refresh(client, tokens["refresh_token"]).json()
    assert claims_of(again["access_token"])["nickname"] == "jj"
    assert site.userinfo(again["access_token"]).json()["nickname"] == "jj"


async def _update(changed: UserChanges, administration: Administration, tenant: TenantConfiguration) -> None:
    await users.update_user(administration, tenant, "jane", changed)


def test_an_address_stays_unverified_when_only_that_is_asked(site: Site) -> None:
    """Also after the person changes: what the script set is kept whole."""
    kim = site.person("kim", email="kim@example.org", email_verified=True)
    client = client_of(site, {WSO2 + "emailaddress": "boss@example.org"})
    tokens = site.tokens(client, kim, scope="openid", claims='{"userinfo": {"email_verified": null}}')
    assert site.userinfo(tokens["access_token"]).json()["email_verified"] is False
    changed = UserChanges(attributes={"name": "Kim", "email": "kim@example.org", "email_verified": True})
    site.in_tenant(lambda a, t: users.update_user(a, t, "kim", changed))
    assert site.userinfo(tokens["access_token"]).json()["email_verified"] is False


def test_a_long_one_is_cut(site: Site) -> None:
    client = client_of(site, {WSO2 + "nickname": "j" * 5000})
    assert claims_of(site.tokens(client, site.jane, scope=SCOPE)["id_token"])["nickname"] == "j" * 1024


def test_only_what_the_application_asks_for(site: Site) -> None:
    client = client_of(site, {WSO2 + "nickname": "jj", WSO2 + "risk": "high"})
    tokens = site.tokens(client, site.jane, scope="openid email")
    for claims in (*everywhere(site, tokens), claims_of(tokens["access_token"])):
        assert claims.keys().isdisjoint({"nickname", "risk"})
    asked = json.dumps({"id_token": {"nickname": None, "risk": None}, "userinfo": {"risk": None}})
    tokens = site.tokens(client, site.jane, scope="openid", claims=asked)
    assert claims_of(tokens["id_token"])["nickname"] == "jj"
    assert "risk" not in claims_of(tokens["id_token"]) | site.userinfo(tokens["access_token"]).json()


def test_a_claim_of_the_applications_own(site: Site) -> None:
    """Whom `access_token_claims` names it for."""
    client = client_of(site, {WSO2 + "risk": "high"}, access_token_claims=("risk",))
    assert claims_of(site.tokens(client, site.jane)["access_token"])["risk"] == "high"


def test_a_script_says_nothing_that_others_rely_on(site: Site) -> None:
    """Attack row 28: not who it is, in which groups, for whom the token is, or how it is bound."""
    names = ("sub", "iss", "aud", "scope", "groups", "cnf", "act", "may_act", "client_id", "acr", "roles",
             "binding_ref", "email_verified", "nonce", "username", "sid", "authorization_details")  # fmt: skip
    lies = {prefix + name: "forged" for name in names for prefix in (WSO2, "")}
    client = client_of(site, lies | {WSO2 + "identity/emailVerified": "forged"}, access_token_claims=names)
    asked = json.dumps({place: dict.fromkeys(names) for place in ("id_token", "userinfo")})
    tokens = site.tokens(client, site.jane, scope="openid email groups", claims=asked)
    for claims in (*everywhere(site, tokens), claims_of(tokens["access_token"])):
        assert "forged" not in json.dumps(claims)


def test_a_claim_of_somebody_else_is_not_told(site: Site) -> None:
    site.person("john")
    other = f"getUniqueUserWithClaimValues({{ '{WSO2}username': 'john' }}, c)"
    client = scripted(site, setting({WSO2 + "nickname": "jj"}, other), PASSWORD_STEP, id_token_claims="scopes")
    assert "nickname" not in claims_of(site.tokens(client, site.jane, scope=SCOPE)["id_token"])


def test_an_address_that_a_script_names_is_not_verified(site: Site) -> None:
    """An application that trusts `email_verified` would take the person for the owner of that address."""
    kim = site.person("kim", email="kim@example.org", email_verified=True)
    honest, claiming = (client_of(site, {WSO2 + "emailaddress": a}) for a in ("kim@example.org", "boss@example.org"))
    for claims in everywhere(site, site.tokens(honest, kim, scope=SCOPE)):
        assert (claims["email"], claims["email_verified"]) == ("kim@example.org", True)
    for claims in everywhere(site, site.tokens(claiming, kim, scope=SCOPE)):
        assert (claims["email"], claims["email_verified"]) == ("boss@example.org", False)


def test_an_empty_one_takes_the_claim_away(site: Site) -> None:
    client = client_of(site, {WSO2 + "emailaddress": ""})
    for claims in everywhere(site, site.tokens(client, site.jane, scope=SCOPE)):
        assert "email" not in claims
        assert claims["name"] == "Jane Doe"


def test_they_are_in_tokens_that_leave_by_the_browser(site: Site) -> None:
    client = client_of(
        site, {WSO2 + "nickname": "jj"}, response_types=("id_token token",), access_token_claims=("nickname",)
    )
    page = site.sign_in(client, site.jane, response_type="id_token token", scope="openid profile", nonce="n")
    told = response_parameters(page)
    assert [claims_of(told[name])["nickname"] for name in ("id_token", "access_token")] == ["jj", "jj"]


def test_the_consent_page_shows_what_the_application_will_see(site: Site) -> None:
    client = client_of(site, {WSO2 + "emailaddress": "other@example.org"}, skip_consent=False)
    page = with_password(begun(site, client, scope="openid email"), site.jane)
    assert "other@example.org" in page.text
    assert "jane@example.org" not in page.text
