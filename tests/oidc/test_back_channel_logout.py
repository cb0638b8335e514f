"""Back-Channel Logout 1.0: whatever ends a session, every application that it reached is told."""

from collections.abc import Callable
from typing import Any

import pytest

from identity.administration import applications, users
from identity.domain.deliveries import Delivery
from identity.oidc.back_channel import EVENT
from identity.storage.deliveries import list_deliveries
from tests.oidc.test_protected_answers import JWKS, opened, verified
from tests.support.builders import Client, Site, claims_of, response_parameters
from tests.support.in_process import InProcessServer, TimedSite
from tests.support.receiver import Received, Receiver, Reply
from tests.support.signed_in import BACK, SignedIn

pytestmark = pytest.mark.long


class Place:
    """A tenant whose deliveries go out when the test says so."""

    def __init__(self, timed: TimedSite, server: InProcessServer, receiver: Receiver) -> None:
        self.site = timed
        self.receiver = receiver
        self._server = server

    def application(self, name: str = "App", **settings: Any) -> Client:
        path = f"/{name.lower()}"
        return self.site.application(
            name,
            **({"backchannel_logout_uri": self.receiver.url(path), "post_logout_redirect_uris": (BACK,)} | settings),
        )

    def deliver(self) -> None:
        """Everything that is due. The first delivery to a host goes alone, the others a tenth of a second later."""

        async def deliver() -> None:
            courier = self._server.server.courier
            await courier.dispatch()
            await courier.idle()

        for _ in range(3):
            self._server.run(lambda _: deliver())
            self.site.clock.advance(0.15)

    def told(self, name: str = "App") -> list[Received]:
        """What came to this application."""
        self.deliver()
        return self.receiver.at(f"/{name.lower()}")

    def token(self, name: str = "App") -> dict[str, Any]:
        """The claims of the one logout token that came."""
        (request,) = self.told(name)
        return self.verified(request.form["logout_token"], "RS256")

    def verified(self, token: str, algorithm: str) -> dict[str, Any]:
        return verified(self.site, token, algorithm, "logout+jwt")

    def log(self) -> list[Delivery]:
        return self.site.administer(lambda a: list_deliveries(a.database, self.site.tenant.id))


@pytest.fixture
def place(timed: TimedSite, in_process_server: InProcessServer, receiver: Receiver) -> Place:
    return Place(timed, in_process_server, receiver)


def sign_out(here: SignedIn) -> None:
    assert here.logout(id_token_hint=here.hint).has("logged-out")


@pytest.mark.spec("OpenID Connect Back-Channel Logout", "2.4")
@pytest.mark.spec("OpenID Connect Back-Channel Logout", "2.5")
def test_exactly_this_request(place: Place) -> None:
    here = SignedIn(place.site, place.application(), nonce="n-1")
    place.site.clock.advance(5)
    sign_out(here)
    now = place.site.clock.now() // 1_000_000
    (request,) = place.told()
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.form.keys() == {"logout_token"}
    claims = place.verified(request.form["logout_token"], "RS256")
    id_token = claims_of(here.hint)
    assert claims.pop("jti")
    assert claims == {
        "iss": place.site.issuer, "sub": id_token["sub"], "aud": here.client.client_id, "iat": now, "exp": now + 120,
        "events": {EVENT: {}}, "sid": id_token["sid"],
    }  # fmt: skip
    assert EVENT == "http://schemas.openid.net/event/backchannel-logout"


def at_the_application(here: SignedIn, place: Place) -> None:
    sign_out(here)


def on_our_page(here: SignedIn, place: Place) -> None:
    here.logout().submit("logout-confirm")


def on_the_account_page_here(here: SignedIn, place: Place) -> None:
    here.end_on_the_account_page(here.sid)


def on_the_account_page_of_another_device(here: SignedIn, place: Place) -> None:
    SignedIn(place.site).end_on_the_account_page(here.sid)


def by_an_administrator(here: SignedIn, place: Place) -> None:
    place.site.in_tenant(lambda a, t: users.end_sessions(a, t, "jane"))


def by_disabling_the_person(here: SignedIn, place: Place) -> None:
    place.site.in_tenant(lambda a, t: users.set_user_enabled(a, t, "jane", False))


def by_a_new_password(here: SignedIn, place: Place) -> None:
    place.site.in_tenant(lambda a, t: users.set_password(a, t, "jane", "another password"))


def by_deleting_the_person(here: SignedIn, place: Place) -> None:
    place.site.in_tenant(lambda a, t: users.delete_user(a, t, "jane"))


def by_another_person_in_the_same_browser(here: SignedIn, place: Place) -> None:
    other = place.site.person("other")
    page = here.browser.get(place.site.authorize_url(place.site.application("Third"), prompt="login"))
    page.submit("login-submit", username=other.username, password=other.password)


CAUSES: list[Callable[[SignedIn, Place], None]] = [
    at_the_application,
    on_our_page,
    on_the_account_page_here,
    on_the_account_page_of_another_device,
    by_an_administrator,
    by_disabling_the_person,
    by_a_new_password,
    by_deleting_the_person,
    by_another_person_in_the_same_browser,
]


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
def test_whatever_ends_a_session_reaches_every_application(
    place: Place, cause: Callable[[SignedIn, Place], None]
) -> None:
    here = SignedIn(place.site, place.application())
    SignedIn(place.site, place.application("Second"), browser=here.browser)
    SignedIn(place.site, place.application("Silent", backchannel_logout_uri=None), browser=here.browser)
    stranger = SignedIn(place.site, place.application("Strange"), place.site.person("stranger"))
    cause(here, place)
    assert [place.token(name)["sid"] for name in ("App", "Second")] == [here.sid, here.sid]
    assert place.told("Strange") == []
    assert not here.active()
    assert stranger.active()


def test_every_session_of_a_person_is_told_by_its_own_sid(place: Place) -> None:
    client = place.application()
    sessions = [SignedIn(place.site, client) for _ in range(3)]
    sign_out(sessions[0])
    place.site.in_tenant(lambda a, t: users.end_sessions(a, t, "jane"))
    place.site.in_tenant(lambda a, t: users.end_sessions(a, t, "jane"))
    told = [claims_of(request.form["logout_token"])["sid"] for request in place.told()]
    assert sorted(told) == sorted(here.sid for here in sessions)


def test_an_application_that_asked_often_is_told_once(place: Place) -> None:
    here = SignedIn(place.site, place.application())
    for _ in range(5):
        assert here.signed_in()
    sign_out(here)
    assert len(place.told()) == 1


def test_an_application_whose_access_was_taken_back_is_told_too(place: Place) -> None:
    """Its own session may still run."""
    here = SignedIn(place.site, place.application())
    place.site.http.post("/oauth2/revoke", data={"token": here.tokens["refresh_token"]}, auth=here.client.basic)
    sign_out(here)
    assert place.token()["sid"] == here.sid


@pytest.mark.spec("OpenID Connect Core", "8.1")
def test_pairwise_subjects(place: Place) -> None:
    here = SignedIn(place.site, place.application(subject_type="pairwise"))
    sign_out(here)
    assert place.token()["sub"] == claims_of(here.hint)["sub"]


@pytest.mark.spec("OpenID Connect Back-Channel Logout", "2.4")
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "EdDSA"])
def test_signed_as_the_id_token(place: Place, algorithm: str) -> None:
    sign_out(SignedIn(place.site, place.application(id_token_algorithm=algorithm)))
    (request,) = place.told()
    place.verified(request.form["logout_token"], algorithm)


@pytest.mark.spec("OpenID Connect Back-Channel Logout", "2.4")
def test_encrypted_as_the_id_token(place: Place) -> None:
    client = place.application(
        jwks=JWKS, id_token_encrypted_response_alg="ECDH-ES", id_token_encrypted_response_enc="A256GCM"
    )
    SignedIn(place.site, client).logout().submit("logout-confirm")
    (request,) = place.told()
    inner = opened(request.form["logout_token"], "ECDH-ES", "A256GCM")
    assert place.verified(inner, "RS256")["aud"] == client.client_id


def test_a_retry_brings_a_fresh_token(place: Place) -> None:
    place.receiver.answer("/app", Reply(503), Reply(200))
    sign_out(SignedIn(place.site, place.application()))
    assert len(place.told()) == 1
    (waiting,) = place.log()
    assert (waiting.last_status, waiting.delivered_at, waiting.failed_at) == (503, None, None)
    place.site.clock.advance(300)
    tokens = [claims_of(request.form["logout_token"]) for request in place.told()]
    assert len(tokens) == 2
    assert tokens[1]["iat"] >= tokens[0]["iat"] + 300
    assert tokens[0]["jti"] != tokens[1]["jti"]
    (done,) = place.log()
    assert (done.kind, done.last_status, done.attempts) == ("backchannel_logout", 200, 2)
    assert done.delivered_at is not None


@pytest.mark.spec("OpenID Connect Back-Channel Logout", "2.8")
def test_an_application_that_refuses_is_not_asked_again(place: Place) -> None:
    place.receiver.answer("/app", Reply(400))
    sign_out(SignedIn(place.site, place.application()))
    place.deliver()
    place.site.clock.advance(3600)
    assert len(place.told()) == 1
    assert place.log()[0].failed_at is not None


def test_an_application_that_was_deleted_is_left_alone(place: Place) -> None:
    here = SignedIn(place.site, place.application())
    sign_out(here)
    place.site.administer(lambda a: applications.delete_application(a, place.site.tenant, here.client.client_id))
    assert place.told() == []
    assert place.log()[0].failed_at is not None


@pytest.mark.parametrize("offline", [False, True])
def test_what_survives(place: Place, offline: bool) -> None:
    """Decision 11: what was granted with offline_access goes on, everything else ends."""
    scope = "openid offline_access" if offline else "openid"
    here = SignedIn(place.site, place.application(), scope=scope)
    sign_out(here)
    answer = place.site.refresh(here.client, here.tokens["refresh_token"])
    assert answer.status_code == (200 if offline else 400)
    assert here.active() is offline
    assert place.token()["sid"] == here.sid


def test_tokens_bound_to_the_session_end_with_it_whatever_was_granted(place: Place) -> None:
    """wso2-contracts §1.4: token_binding `sso-session`."""
    here = SignedIn(place.site, place.application(token_binding="sso-session"), scope="openid offline_access")
    assert here.active()
    sign_out(here)
    assert not here.active()
    assert place.site.refresh(here.client, here.tokens["refresh_token"]).status_code == 400


def test_the_log_shows_no_token(place: Place) -> None:
    sign_out(SignedIn(place.site, place.application()))
    (delivery,) = place.log()
    assert b"jane" not in delivery.payload
    assert place.site.tenant.handle.encode() not in delivery.payload


def logout_token(place: Place) -> tuple[SignedIn, str]:
    ended, other = SignedIn(place.site, place.application()), SignedIn(place.site)
    sign_out(ended)
    return other, place.told()[0].form["logout_token"]


@pytest.mark.spec("OpenID Connect Back-Channel Logout", "2.6")
def test_a_logout_token_is_nothing_else(place: Place) -> None:
    """Attack row 17: neither an ID token, nor an access token, nor a code."""
    other, token = logout_token(place)
    assert other.logout(id_token_hint=token).has("error-page")
    assert place.site.userinfo(token).status_code == 401
    assert not place.site.is_active(other.client, token)
    assert place.site.redeem(other.client, token).status_code == 400
    assert place.site.refresh(other.client, token).status_code == 400
    page = other.browser.get(place.site.authorize_url(other.client, id_token_hint=token))
    assert response_parameters(page)["error"] == "invalid_request"


def test_a_browser_signs_out_although_nobody_can_be_told(place: Place) -> None:
    nowhere = place.application(backchannel_logout_uri="http://localhost:1/logout")
    here = SignedIn(place.site, nowhere)
    sign_out(here)
    place.deliver()
    (waiting,) = place.log()
    assert waiting.delivered_at is None
    assert not here.signed_in()


def test_told_at_once_by_a_running_server(site: Site, receiver: Receiver) -> None:
    here = SignedIn(site, site.application(backchannel_logout_uri=receiver.url("/logout")))
    sign_out(here)
    (request,) = receiver.wait_for("/logout")
    assert claims_of(request.form["logout_token"])["sid"] == here.sid


def test_told_soon_of_what_the_command_line_did(site: Site, receiver: Receiver) -> None:
    here = SignedIn(site, site.application(backchannel_logout_uri=receiver.url("/logout")))
    site.in_tenant(lambda a, t: users.set_user_enabled(a, t, "jane", False))
    (request,) = receiver.wait_for("/logout")
    assert claims_of(request.form["logout_token"])["sid"] == here.sid
