"""userinfo (OpenID Connect Core §5.3) and which claims each scope shows (§5.4)."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from identity.administration import users
from tests.support.builders import Client, Person, Site, claims_of, response_parameters
from userstores.spi import UserChanges

ADDRESS = {"formatted": "12 St James's Square", "locality": "London", "country": "United Kingdom"}
EVERYTHING: dict[str, Any] = {
    "name": "Ada Example", "given_name": "Ada", "family_name": "Example", "middle_name": "Byron", "nickname": "ada",
    "preferred_username": "ada.l", "profile": "https://people.example/ada", "picture": "https://people.example/a.png",
    "website": "https://ada.example", "email": "ada@example.org", "email_verified": True, "gender": "female",
    "birthdate": "1985-12-10", "zoneinfo": "Europe/London", "locale": "en-GB", "phone_number": "+44 20 7946 0018",
    "phone_number_verified": False, "updated_at": 1767225600, "address": ADDRESS,
}  # fmt: skip
PROFILE = set(EVERYTHING) - {"email", "email_verified", "phone_number", "phone_number_verified", "address"}


def ada(site: Site) -> Person:
    return site.person("ada", groups=("engineering", "everyone"), **EVERYTHING)


def allowed_tokens(site: Site, client: Client, person: Person, **parameters: str | None) -> dict[str, Any]:
    """Sign in, allow what is asked, redeem."""
    page = site.sign_in(client, person, browser=site.browser(), **parameters)
    if page.has("consent-allow"):
        page = page.submit("consent-allow")
    tokens: dict[str, Any] = site.redeem(client, response_parameters(page)["code"]).json()
    return tokens


@pytest.mark.spec("OpenID Connect Core", "5.4")
@pytest.mark.parametrize(
    ("scope", "shown"),
    [
        ("openid", set()),
        ("openid profile", PROFILE),
        ("openid email", {"email", "email_verified"}),
        ("openid address", {"address"}),
        ("openid phone", {"phone_number", "phone_number_verified"}),
        ("openid groups", {"groups"}),
        ("openid offline_access", set()),
        ("openid profile email address phone groups", {*EVERYTHING, "groups"}),
    ],
)
def test_what_each_scope_shows(site: Site, scope: str, shown: set[str]) -> None:
    client = site.application()
    tokens = allowed_tokens(site, client, ada(site), scope=scope)
    response = site.userinfo(tokens["access_token"])
    assert response.headers["cache-control"] == "no-store"
    expected = EVERYTHING | {"groups": ["engineering", "everyone"], "sub": claims_of(tokens["id_token"])["sub"]}
    answer = response.json()
    # The store itself knows when it was changed last.
    assert isinstance(answer.get("updated_at", 0), int)
    assert answer.keys() == shown | {"sub"}
    assert {name: expected[name] for name in shown | {"sub"} if name != "updated_at"} == {
        name: value for name, value in answer.items() if name != "updated_at"
    }


def test_claims_that_a_person_does_not_have_are_left_out(site: Site) -> None:
    client = site.application()
    token = site.tokens(client, site.person("bare"), scope="openid profile email phone address groups")["access_token"]
    answer = site.userinfo(token).json()
    answer.pop("updated_at", None)
    assert answer.pop("sub")
    assert answer == {"preferred_username": "bare", "groups": []}


@pytest.mark.spec("RFC 6750", "2.2")
@pytest.mark.spec("OpenID Connect Core", "5.3.1")
def test_get_post_and_form(site: Site) -> None:
    token = site.tokens(site.application(), site.jane)["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    answers = [
        site.http.get("/oauth2/userinfo", headers=bearer),
        site.http.post("/oauth2/userinfo", headers=bearer),
        site.http.post("/oauth2/userinfo", data={"access_token": token}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].json() == answers[1].json() == answers[2].json()


@pytest.mark.spec("RFC 6750", "3.1")
@pytest.mark.parametrize(
    ("headers", "query", "form", "status", "challenge"),
    [
        ({}, "", {}, 401, 'Bearer realm="identity"'),
        ({"Authorization": "Basic x"}, "", {}, 401, 'Bearer realm="identity"'),
        ({"Authorization": "Bearer"}, "", {}, 401, 'Bearer realm="identity"'),
        ({"Authorization": "Bearer x"}, "", {}, 401, 'Bearer realm="identity", error="invalid_token"'),
        ({}, "?access_token={token}", {}, 400, 'Bearer realm="identity", error="invalid_request"'),
        ({"Authorization": "Bearer {token}"}, "", {"access_token": "x"}, 400, 'error="invalid_request"'),
    ],
    ids=["none", "other scheme", "empty", "unknown", "in the address", "twice"],
)
def test_refusals(
    site: Site, headers: dict[str, str], query: str, form: dict[str, str], status: int, challenge: str
) -> None:
    token = site.tokens(site.application(), site.jane)["access_token"]
    headers = {name: value.format(token=token) for name, value in headers.items()}
    method = "POST" if form else "GET"
    url = "/oauth2/userinfo" + query.format(token=token)
    response = site.http.request(method, url, headers=headers, data=form or None)
    assert response.status_code == status
    assert challenge in response.headers["www-authenticate"]
    if status == 401 and "error" not in challenge:
        bearer, dpop = response.headers.get_list("www-authenticate")
        assert bearer.startswith(challenge)
        assert "error" not in bearer + dpop
        assert dpop.startswith('DPoP realm="identity", algs="ES256 ')


def test_tokens_of_another_kind(site: Site) -> None:
    client = site.application()
    tokens = site.tokens(client, site.jane)
    for name in ("id_token", "refresh_token"):
        assert site.userinfo(tokens[name]).status_code == 401


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_token_of_another_tenant(site: Site, kind: str) -> None:
    token = site.tokens(site.application(access_token_type=kind), site.jane)["access_token"]
    response = httpx.get(
        f"{site.server.base_url}/oauth2/userinfo", headers={"Authorization": f"Bearer {token}"}, trust_env=False
    )
    assert response.status_code == 401


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
@pytest.mark.parametrize("live", [False, True])
def test_a_changed_person_shows_in_the_next_answer(site: Site, kind: str, live: bool) -> None:
    client = site.application(access_token_type=kind, live_claims=live)
    token = site.tokens(client, site.jane, scope="openid profile email")["access_token"]
    assert site.userinfo(token).json()["name"] == "Jane Doe"
    changed = UserChanges(attributes={"name": "Jane Roe", "email": "roe@example.org", "phone_number": "+49 30 1"})
    site.in_tenant(lambda a, t: users.update_user(a, t, "jane", changed))
    for _ in range(2):
        answer = site.userinfo(token).json()
        assert (answer["name"], answer["email"]) == ("Jane Roe", "roe@example.org")
        assert "phone_number" not in answer


def test_a_person_with_a_new_name_keeps_their_sub(site: Site) -> None:
    client = site.application()
    before = claims_of(site.tokens(client, site.jane)["id_token"])["sub"]
    site.in_tenant(lambda a, t: users.update_user(a, t, "jane", UserChanges(username="jane.roe")))
    after = site.tokens(client, Person("jane.roe", site.jane.password, site.jane.user))
    assert claims_of(after["id_token"])["sub"] == before
    assert site.introspect(client, after["access_token"])["username"] == "jane.roe"


@pytest.mark.spec("RFC 8707", "2")
def test_a_default_resource_does_not_shut_userinfo(site: Site) -> None:
    """Decision 4: userinfo takes tokens for the default audience, whatever that is."""
    site.change_settings(lambda settings: replace(settings, default_resource="https://api.example/"))
    tokens = site.tokens(site.application(), site.jane)
    assert (
        site.introspect(site.machine(may_introspect_any=True), tokens["access_token"])["aud"] == "https://api.example/"
    )
    assert site.userinfo(tokens["access_token"]).status_code == 200
