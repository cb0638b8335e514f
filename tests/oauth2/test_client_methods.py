"""client_secret_jwt, several secrets at once, and no method but the registered one (decisions 15 and 24)."""

from typing import Any

import pytest

from identity.administration import applications
from tests.oauth2.assertion_client import GRANT, METHODS, ask, holder_of, outcome, seconds, secret_holder
from tests.support.builders import Site
from tests.support.in_process import TimedSite
from tests.support.key_holder import KeyHolder, assertion_form

# client_secret_jwt


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_client_secret_jwt(site: Site, algorithm: str) -> None:
    client = site.machine(token_endpoint_auth_method="client_secret_jwt")
    key = KeyHolder.of_secret(str(client.secret), algorithm)
    assert ask(site, key.assertion(client.client_id, site.issuer)).status_code == 200
    wrong = KeyHolder.of_secret(str(client.secret)[:-1] + "!", algorithm)
    assert outcome(ask(site, wrong.assertion(client.client_id, site.issuer))) == (401, "invalid_client")


@pytest.mark.spec("RFC 7518", "3.2")
def test_a_secret_has_to_be_as_long_as_the_hash(site: Site) -> None:
    """Decision 15: 32 characters are enough for HS256 only."""
    client = site.machine(token_endpoint_auth_method="client_secret_jwt", client_secret="s" * 32)
    for algorithm, status in (("HS256", 200), ("HS384", 401), ("HS512", 401)):
        key = KeyHolder.of_secret("s" * 32, algorithm)
        assert ask(site, key.assertion(client.client_id, site.issuer)).status_code == status


def test_secrets_overlap_for_assertions_too(timed: TimedSite) -> None:
    """Both secrets count while one replaces the other, then only the new one."""
    client = timed.machine(token_endpoint_auth_method="client_secret_jwt")
    new = timed.administer(
        lambda a: applications.add_client_secret(a, timed.tenant, client.client_id, old_valid_seconds=600)
    )

    def statuses() -> list[int]:
        now = seconds(timed.clock)
        keys = secret_holder(client), secret_holder(client, str(new))
        return [ask(timed, key.assertion(client.client_id, timed.issuer, now=now)).status_code for key in keys]

    assert statuses() == [200, 200]
    timed.clock.advance(601)
    assert statuses() == [401, 200]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_secrets_overlap_in_headers_and_forms(timed: TimedSite, method: str) -> None:
    client = timed.machine(token_endpoint_auth_method=method)
    new = timed.administer(
        lambda a: applications.add_client_secret(a, timed.tenant, client.client_id, old_valid_seconds=600)
    )

    def statuses() -> list[int]:
        given = [str(client.secret), str(new)]
        if method == "client_secret_basic":
            calls = [timed.http.post("/oauth2/token", data=GRANT, auth=(client.client_id, one)) for one in given]
        else:
            forms = [GRANT | {"client_id": client.client_id, "client_secret": one} for one in given]
            calls = [timed.http.post("/oauth2/token", data=form) for form in forms]
        return [call.status_code for call in calls]

    assert statuses() == [200, 200]
    timed.clock.advance(601)
    assert statuses() == [401, 200]


# One method, the registered one


@pytest.mark.parametrize("registered", [*METHODS, "client_secret_basic", "client_secret_post", "none"])
def test_no_method_but_the_registered_one(site: Site, registered: str) -> None:
    key = KeyHolder()
    settings: dict[str, Any] = {"token_endpoint_auth_method": registered, "jwks": key.jwks}
    if registered == "none":
        settings |= {"grant_types": ("authorization_code",), "redirect_uris": ("https://app.example/cb",)}
    client = site.machine(**settings)
    secret = client.secret or "s" * 64
    form = {"client_id": client.client_id, "token": "x"}
    answers = {
        "private_key_jwt": assertion_form(key.assertion(client.client_id, site.issuer), token="x"),
        "client_secret_jwt": assertion_form(
            KeyHolder.of_secret(secret).assertion(client.client_id, site.issuer), token="x"
        ),
        "client_secret_post": form | {"client_secret": secret},
        "none": form,
    }
    got = {name: site.http.post("/oauth2/revoke", data=data).status_code for name, data in answers.items()}
    auth = (client.client_id, secret)
    got["client_secret_basic"] = site.http.post("/oauth2/revoke", data={"token": "x"}, auth=auth).status_code
    secrets = {"client_secret_basic", "client_secret_post"}
    taken = secrets if registered in secrets else {registered}
    assert {name for name, status in got.items() if status == 200} == taken
    assert {status for name, status in got.items() if name not in taken} == {401}


@pytest.mark.spec("RFC 6749", "2.3")
@pytest.mark.parametrize("second", ["client_secret", "basic"])
def test_two_methods_at_once(site: Site, second: str) -> None:
    client, key = holder_of(site)
    form = assertion_form(key.assertion(client.client_id, site.issuer), **GRANT)
    auth: Any = None
    if second == "basic":
        auth = (client.client_id, "secret")
    else:
        form |= {"client_secret": "secret", "client_id": client.client_id}
    assert outcome(site.http.post("/oauth2/token", data=form, auth=auth)) == (400, "invalid_request")


@pytest.mark.parametrize(
    "change",
    [
        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
        {"client_assertion_type": ""},
        {"client_assertion": ""},
        {"client_assertion": "x"},
        {"client_assertion": "a.b.c"},
    ],
    ids=str,
)
def test_an_assertion_and_its_type_belong_together(site: Site, change: dict[str, str]) -> None:
    client, key = holder_of(site)
    form = assertion_form(key.assertion(client.client_id, site.issuer), client_id=client.client_id, **GRANT) | change
    assert outcome(site.http.post("/oauth2/token", data=form)) == (401, "invalid_client")


def test_an_assertion_in_the_address(site: Site) -> None:
    """Decision 24."""
    client, key = holder_of(site)
    for name, value in assertion_form(key.assertion(client.client_id, site.issuer)).items():
        response = site.http.post("/oauth2/token", params={name: value}, data=GRANT)
        assert outcome(response) == (400, "invalid_request")
