"""Token exchange (RFC 8693): delegation, impersonation, agents; nothing ever widens."""

import json
import secrets

import pytest

from identity.administration import applications
from identity.authn.people import People
from identity.domain.applications import TOKEN_EXCHANGE
from identity.domain.tenants import TenantSettings
from tests.support.authorization import api, payment, payment_type
from tests.support.builders import Client, Pkce, Site, claims_of, response_parameters
from tests.support.exchange import (
    ACCESS_TOKEN,
    ID_TOKEN,
    JWT,
    Answer,
    exchange,
    exchanged,
    portal,
    refusal,
    service,
    tokens_in,
)
from tests.support.in_process import TimedSite
from tests.support.key_holder import KeyHolder
from tests.support.trusted import Trusted
from userstores.spi import StoreUnavailable

pytestmark = pytest.mark.long


class TestOurOwnTokens:
    @pytest.mark.spec("RFC 8693", "2.2.1")
    @pytest.mark.parametrize("form", ["opaque", "jwt"])
    def test_a_service_acts_for_the_person_under_its_name(self, site: Site, form: str) -> None:
        caller = service(site, access_token_type=form)
        source = portal(site, caller, access_token_type=form)
        tokens = site.tokens(source, site.jane, scope="openid read write")
        answer = exchanged(site, caller, tokens["access_token"])
        assert answer["issued_token_type"] == ACCESS_TOKEN
        assert (answer["token_type"], answer["scope"]) == ("Bearer", "openid read write")
        assert answer.keys() == {"access_token", "token_type", "expires_in", "scope", "issued_token_type"}
        shown = site.introspect(caller, answer["access_token"])
        assert (shown["act"], shown["client_id"]) == ({"sub": caller.client_id}, caller.client_id)
        assert site.userinfo(answer["access_token"]).json()["sub"] == claims_of(tokens["id_token"])["sub"]

    @pytest.mark.spec("RFC 8693", "4.1")
    def test_those_who_acted_before_are_nested(self, site: Site) -> None:
        last = service(site)
        middle = service(site, audiences=(last.client_id,))
        tokens = site.tokens(portal(site, middle), site.jane, scope="read")
        first = exchanged(site, middle, tokens["access_token"])
        second = exchanged(site, last, first["access_token"])
        act = claims_of(second["access_token"])["act"]
        assert act == {"sub": last.client_id, "act": {"sub": middle.client_id}}

    def test_a_loop_of_services_ends(self, site: Site) -> None:
        caller = service(site, kind="agent")
        token = site.tokens(portal(site, caller), site.jane, scope="read")["access_token"]
        for _ in range(8):
            token = exchanged(site, caller, token)["access_token"]
        assert refusal(site, caller, token) == "invalid_request"

    @pytest.mark.spec("RFC 8693", "1.1")
    def test_impersonation_is_for_those_who_may(self, site: Site) -> None:
        caller = service(site, may_impersonate=True)
        tokens = site.tokens(portal(site, caller), site.jane, scope="read")
        answer = exchanged(site, caller, tokens["access_token"])
        assert "act" not in claims_of(answer["access_token"])

    def test_one_s_own_token_is_narrowed_without_an_actor(self, site: Site) -> None:
        caller = portal(site, grant_types=("authorization_code", TOKEN_EXCHANGE))
        tokens = site.tokens(caller, site.jane, scope="read write")
        answer = exchanged(site, caller, tokens["access_token"], scope="read")
        claims = claims_of(answer["access_token"])
        assert (claims["scope"], "act" in claims) == ("read", False)

    @pytest.mark.spec("RFC 8693", "2.1")
    def test_an_actor_token(self, site: Site) -> None:
        caller = service(site)
        tokens = site.tokens(portal(site, caller), site.jane, scope="read")
        helper = site.person("kim")
        actor = site.tokens(portal(site, caller), helper)["access_token"]
        answer = exchanged(site, caller, tokens["access_token"], actor_token=actor, actor_token_type=ACCESS_TOKEN)
        assert claims_of(answer["access_token"])["act"] == {"sub": claims_of(actor)["sub"]}
        machine = site.machine_token(caller)
        answer = exchanged(site, caller, tokens["access_token"], actor_token=machine, actor_token_type=ACCESS_TOKEN)
        assert claims_of(answer["access_token"])["act"] == {"sub": caller.client_id}

    def test_an_id_token_gives_what_was_allowed_before(self, site: Site) -> None:
        caller = portal(site, grant_types=("authorization_code", TOKEN_EXCHANGE), skip_consent=False)
        page = site.sign_in(caller, site.jane, scope="openid read").submit("consent-allow", scope="read")
        tokens = site.redeem(caller, response_parameters(page)["code"]).json()
        answer = exchanged(site, caller, tokens["id_token"], ID_TOKEN, scope="openid read write")
        assert answer["scope"] == "openid read"

    @pytest.mark.spec("RFC 8693", "5")
    def test_an_id_token_is_exchanged_by_who_can_be_told_apart(self, site: Site) -> None:
        """ID tokens stand in addresses (`id_token_hint`): for a public application anybody could present one."""
        caller = portal(
            site, grant_types=("authorization_code", TOKEN_EXCHANGE), token_endpoint_auth_method="none",
        )  # fmt: skip
        tokens = site.tokens(caller, site.jane, scope="openid read")
        assert refusal(site, caller, tokens["id_token"], ID_TOKEN, scope="read") == "invalid_request"
        assert exchanged(site, caller, tokens["access_token"], scope="read")["scope"] == "read"

    @pytest.mark.spec("RFC 8693", "2.1")
    @pytest.mark.parametrize(
        ("asked", "form", "issued"),
        [
            (None, "opaque", ACCESS_TOKEN),
            (ACCESS_TOKEN, "opaque", ACCESS_TOKEN),
            (JWT, "opaque", JWT),
            (JWT, "jwt", JWT),
        ],
    )
    def test_the_type_of_the_new_token(self, site: Site, asked: str | None, form: str, issued: str) -> None:
        caller = service(site, access_token_type=form)
        token = site.tokens(portal(site, caller), site.jane, scope="read")["access_token"]
        answer = exchanged(site, caller, token, **({"requested_token_type": asked} if asked else {}))
        assert answer["issued_token_type"] == issued
        assert (answer["access_token"].count(".") == 2) == (issued == JWT or form == "jwt")
        assert site.is_active(caller, answer["access_token"])

    def test_a_refresh_token_for_who_has_that_grant(self, site: Site) -> None:
        caller = service(site, grant_types=(TOKEN_EXCHANGE, "refresh_token"))
        token = site.tokens(portal(site, caller), site.jane, scope="read")["access_token"]
        answer = exchanged(site, caller, token)
        refreshed = site.refresh(caller, answer["refresh_token"])
        assert refreshed.status_code == 200
        assert claims_of(refreshed.json()["access_token"])["act"] == {"sub": caller.client_id}

    def test_a_refresh_gives_no_id_token_either(self, site: Site) -> None:
        """Nobody has signed in to the caller, at first or later."""
        caller = service(site, grant_types=(TOKEN_EXCHANGE, "refresh_token"))
        token = site.tokens(portal(site, caller), site.jane, scope="openid read")["access_token"]
        answer = exchanged(site, caller, token)
        refreshed = site.refresh(caller, answer["refresh_token"]).json()
        assert "id_token" not in answer.keys() | refreshed.keys()
        assert site.userinfo(refreshed["access_token"]).status_code == 200


class TestWhatBoundsIt:
    def test_scopes_never_widen(self, site: Site) -> None:
        caller = service(site, scopes=("read", "write", "admin"))
        token = site.tokens(portal(site, caller), site.jane, scope="read")["access_token"]
        assert refusal(site, caller, token, scope="read write") == "invalid_scope"
        assert refusal(site, caller, token, scope="admin") == "invalid_scope"
        assert exchanged(site, caller, token, scope="read")["scope"] == "read"

    def test_nor_beyond_the_application_s_own(self, site: Site) -> None:
        caller = service(site, scopes=("write",))
        token = site.tokens(portal(site, caller), site.jane, scope="read write")["access_token"]
        assert exchanged(site, caller, token)["scope"] == "write"

    @pytest.mark.spec("RFC 8693", "2.2.2")
    def test_audience_and_resource(self, site: Site) -> None:
        caller = service(site, audiences=("billing",), resources=("https://api.example",))
        token = site.tokens(portal(site, caller), site.jane, scope="read")["access_token"]
        answer = exchanged(site, caller, token, audience="billing", resource="https://api.example")
        assert claims_of(answer["access_token"])["aud"] == ["billing", "https://api.example"]
        assert refusal(site, caller, token, audience="payroll") == "invalid_target"
        assert refusal(site, caller, token, resource="https://other.example") == "invalid_target"

    @pytest.mark.spec("RFC 8693", "4.4")
    def test_may_act_is_obeyed(self, site: Site) -> None:
        caller, other = service(site), service(site)
        issuer = Trusted(site)
        assert site.jane
        named = {"sub": caller.client_id}
        answer = exchanged(site, caller, issuer.token(may_act=named), JWT, scope="read")
        assert answer["scope"] == "read"
        assert refusal(site, other, issuer.token(may_act=named), JWT) == "invalid_request"
        assert refusal(site, caller, issuer.token(may_act={"sub": "x"}), JWT) == "invalid_request"
        assert refusal(site, caller, issuer.token(may_act={}), JWT) == "invalid_request"
        more = named | {"iss": "https://idp.example"}
        assert refusal(site, caller, issuer.token(may_act=more), JWT) == "invalid_request"

    @pytest.mark.spec("RFC 8693", "4.4")
    def test_an_issuer_does_not_bring_the_actor_that_another_one_names(self, site: Site) -> None:
        """`may_act` without `iss` means somebody of its own issuer or of ours, never anybody else's namesake."""
        caller = service(site)
        one, two = Trusted(site), Trusted(site, issuer="https://two.example")
        site.person("kim")
        assert site.jane
        subject = one.token(may_act={"sub": "robot"})
        for issuer, allowed in ((two, False), (one, True)):
            actor = {"actor_token": issuer.token(sub="robot", preferred_username="kim"), "actor_token_type": JWT}
            assert (exchange(site, caller, subject, JWT, scope="read", **actor)[0] == 200) is allowed

    @pytest.mark.spec("RFC 8693", "4.1")
    def test_who_acted_elsewhere_is_named_with_their_issuer(self, site: Site) -> None:
        """Nobody's `act` makes one of our applications an actor."""
        caller, issuer = service(site), Trusted(site)
        assert site.jane
        token = issuer.token(act={"sub": caller.client_id, "act": {"sub": "first"}})
        act = claims_of(exchanged(site, caller, token, JWT, scope="read")["access_token"])["act"]
        assert act == {
            "sub": caller.client_id, "iss": issuer.issuer, "act": {"sub": "first", "iss": issuer.issuer},
        }  # fmt: skip

    def test_one_s_own_token_stays_with_its_resources(self, site: Site) -> None:
        """What was authorized for one API is not exchanged by the same application into a token for another."""
        apis = ("https://one.example", "https://two.example")
        caller = portal(site, grant_types=("authorization_code", TOKEN_EXCHANGE), resources=apis)
        tokens = site.tokens(caller, site.jane, scope="read", resource=apis[0])
        assert refusal(site, caller, tokens["access_token"], resource=apis[1]) == "invalid_target"
        assert refusal(site, caller, tokens["access_token"], audience=caller.client_id) == "invalid_target"
        assert claims_of(exchanged(site, caller, tokens["access_token"])["access_token"])["aud"] == apis[0]

    def test_details_never_widen(self, site: Site) -> None:
        """Those of a type that the caller may not use stay behind."""
        api(site, "https://bank.example/api", payment_type())
        caller = service(site)
        source = portal(site, caller, authorization_details_types=("payment",))
        token = site.tokens(source, site.jane, authorization_details=json.dumps([payment()]))["access_token"]
        assert claims_of(token)["authorization_details"] == [payment()]
        assert "authorization_details" not in exchanged(site, caller, token)
        site.update(caller, authorization_details_types=("payment",))
        assert exchanged(site, caller, token)["authorization_details"] == [payment()]

    def test_a_token_bound_to_a_key_needs_the_key(self, site: Site) -> None:
        holder, thief = KeyHolder(), KeyHolder()
        caller = portal(site, grant_types=("authorization_code", TOKEN_EXCHANGE), dpop_bound_access_tokens=True)
        pkce = Pkce()
        code = site.code(caller, site.jane, scope="read", **pkce.parameters)
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": caller.redirect_uri,
            "code_verifier": pkce.verifier,
        }  # fmt: skip
        token = bound(site, caller, holder, **form)[1]["access_token"]
        subject = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN}
        assert bound(site, caller, thief, **subject)[1]["error"] == "invalid_request"
        status, answer = bound(site, caller, holder, **subject)
        assert (status, answer["token_type"]) == (200, "DPoP")
        assert claims_of(answer["access_token"])["cnf"] == {"jkt": holder.thumbprint}

    @pytest.mark.spec("RFC 9449", "7")
    def test_a_bound_token_of_another_is_not_unbound_by_who_cannot_be_told_apart(self, site: Site) -> None:
        """A public application in its audience might be anybody: whoever has stolen the token too."""
        holder = KeyHolder()
        anybody = service(site, grant_types=(TOKEN_EXCHANGE,), token_endpoint_auth_method="none")
        source = portal(site, anybody, dpop_bound_access_tokens=True)
        pkce = Pkce()
        code = site.code(source, site.jane, scope="read", **pkce.parameters)
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": source.redirect_uri,
            "code_verifier": pkce.verifier,
        }  # fmt: skip
        token = bound(site, source, holder, **form)[1]["access_token"]
        assert refusal(site, anybody, token) == "invalid_request"

    @pytest.mark.spec("RFC 9449", "7")
    def test_a_trusted_issuer_s_bound_token_needs_the_key(self, site: Site) -> None:
        holder, thief, caller = KeyHolder(), KeyHolder(), service(site)
        assert site.jane
        token = Trusted(site).token(cnf={"jkt": holder.thumbprint})
        assert refusal(site, caller, token, JWT) == "invalid_request"
        subject = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": JWT}
        assert bound(site, caller, thief, **subject)[1]["error"] == "invalid_request"
        assert bound(site, caller, holder, **subject)[0] == 200


def bound(site: Site, client: Client, holder: KeyHolder, **form: str) -> tuple[int, Answer]:
    headers = {"DPoP": holder.proof("POST", f"{site.base}/oauth2/token")}
    response = site.http.post("/oauth2/token", data=form, auth=client.basic, headers=headers)
    return response.status_code, response.json()


class TestRefusedSubjects:
    @pytest.mark.spec("RFC 8693", "2.2.2")
    def test_what_is_no_live_token_of_ours(self, site: Site) -> None:
        caller = service(site)
        tokens = site.tokens(portal(site, caller), site.jane, scope="openid read")
        for token in ("", "at_unknown", "x.y.z", tokens["refresh_token"], tokens["access_token"][:-2]):
            for kind in (ACCESS_TOKEN, ID_TOKEN, JWT, "urn:ietf:params:oauth:token-type:refresh_token", "x"):
                if token:
                    assert refusal(site, caller, token, kind) == "invalid_request"

    def test_each_type_under_its_own_name_only(self, site: Site) -> None:
        caller = portal(site, grant_types=("authorization_code", TOKEN_EXCHANGE))
        tokens = site.tokens(caller, site.jane, scope="openid read")
        assert refusal(site, caller, tokens["id_token"], ACCESS_TOKEN) == "invalid_request"
        assert refusal(site, caller, tokens["id_token"], JWT) == "invalid_request"
        assert refusal(site, caller, tokens["access_token"], ID_TOKEN) == "invalid_request"

    def test_a_token_for_somebody_else(self, site: Site) -> None:
        token = site.tokens(portal(site), site.jane, scope="read")["access_token"]
        assert refusal(site, service(site), token) == "invalid_request"
        id_token = site.tokens(portal(site), site.jane)["id_token"]
        assert refusal(site, service(site), id_token, ID_TOKEN) == "invalid_request"

    def test_an_application_s_own_token_is_no_subject(self, site: Site) -> None:
        caller = service(site)
        assert refusal(site, caller, site.machine_token(caller)) == "invalid_request"

    def test_a_revoked_one(self, site: Site) -> None:
        caller = service(site)
        source = portal(site, caller)
        token = site.tokens(source, site.jane, scope="read")["access_token"]
        site.http.post("/oauth2/revoke", data={"token": token}, auth=source.basic)
        assert refusal(site, caller, token) == "invalid_request"

    def test_another_tenant_s(self, site: Site) -> None:
        caller = service(site)
        other = Site(site.server, f"t{secrets.token_hex(6)}", TenantSettings())
        try:
            twin = portal(other, audiences=(caller.client_id,))
            token = other.tokens(twin, other.jane, scope="read")["access_token"]
        finally:
            other.close()
        assert refusal(site, caller, token) == "invalid_request"
        assert refusal(site, caller, token, JWT) == "invalid_request"

    @pytest.mark.parametrize(
        "form",
        [
            {"actor_token": "x"}, {"actor_token_type": ACCESS_TOKEN}, {"actor_token": "x", "actor_token_type": JWT},
            {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, {"requested_token_type": "x"},
        ],
    )  # fmt: skip
    def test_a_request_that_does_not_hang_together(self, site: Site, form: dict[str, str]) -> None:
        caller = service(site)
        token = site.tokens(portal(site, caller), site.jane, scope="read")["access_token"]
        assert refusal(site, caller, token, **form) == "invalid_request"

    def test_only_with_the_grant(self, site: Site) -> None:
        assert refusal(site, site.application(), "x") == "unauthorized_client"


class TestAgents:
    """An agent acts for a person, under its own name, and the person sees it."""

    def test_it_always_acts_under_its_name(self, site: Site) -> None:
        agent = service(site, kind="agent", may_impersonate=True, grant_types=("authorization_code", TOKEN_EXCHANGE),
                        redirect_uris=("https://agent.example/cb",))  # fmt: skip
        token = site.tokens(agent, site.jane, scope="read")["access_token"]
        answer = exchanged(site, agent, token)
        assert claims_of(answer["access_token"])["act"] == {"sub": agent.client_id}

    def test_nobody_else_s_token_hides_its_name(self, site: Site) -> None:
        agent = service(site, kind="agent", grant_types=("authorization_code", "client_credentials", TOKEN_EXCHANGE),
                        redirect_uris=("https://agent.example/cb",), scopes=("read",))  # fmt: skip
        token = site.tokens(agent, site.jane, scope="read")["access_token"]
        other = site.machine_token(service(site, grant_types=("client_credentials",), audiences=(agent.client_id,)))
        for actor in (token, other):
            form = {"actor_token": actor, "actor_token_type": ACCESS_TOKEN}
            assert refusal(site, agent, token, **form) == "invalid_request"
        own = {"actor_token": site.machine_token(agent), "actor_token_type": ACCESS_TOKEN}
        assert claims_of(exchanged(site, agent, token, **own)["access_token"])["act"] == {"sub": agent.client_id}

    def test_the_person_sees_it_and_can_take_it_back(self, site: Site) -> None:
        agent, browser = service(site, kind="agent"), site.browser()
        tokens = tokens_in(site, portal(site, agent), browser, scope="read")
        answer = exchanged(site, agent, tokens["access_token"])
        account = browser.get(f"{site.base}/account")
        assert "Service" in account.text
        token = account.text.split('name="csrf_token" value="')[1].split('"')[0]
        form = {"csrf_token": token, "revoke_application": agent.application.id}
        assert "Service" not in browser.post(f"{site.base}/account", form).text
        assert not site.is_active(agent, answer["access_token"])


def test_what_a_stopped_application_presents(site: Site) -> None:
    caller = service(site)
    source = portal(site, caller)
    token = site.tokens(source, site.jane, scope="read")["access_token"]
    site.administer(lambda a: applications.update_application(a, site.tenant, source.client_id, {"enabled": False}))
    assert refusal(site, caller, token) == "invalid_request"


def test_a_silent_directory_is_no_success(timed: TimedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decision 13: neither a refusal that lasts nor a token."""

    async def silent(*arguments: object) -> None:
        raise StoreUnavailable("CORP", "does not answer")

    caller = service(timed)
    token = timed.tokens(portal(timed, caller), timed.jane, scope="read")["access_token"]
    with monkeypatch.context() as patch:
        patch.setattr(People, "current", silent)
        status, answer = exchange(timed, caller, token)
    assert (status, answer["error"]) == (503, "temporarily_unavailable")
    assert exchange(timed, caller, token)[0] == 200
