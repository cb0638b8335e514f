"""Sign-out in a real browser: frames of other applications, and the frame that tells whether the session goes on."""

from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from identity.authn.session_state import session_state
from tests.support.builders import Client, Site
from tests.support.chromium import forgive, watched_page
from tests.support.receiver import Receiver, Reply
from tests.ui.journeys import fill_login

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HTML = (("content-type", "text/html"),)
ASK = """([message, origin]) => new Promise((resolve) => {
    addEventListener("message", (event) => resolve([event.data, event.origin]), { once: true });
    document.getElementById("op").contentWindow.postMessage(message, origin);
})"""


def application_of(site: Site, receiver: Receiver, **settings: Any) -> Client:
    receiver.answer("/favicon.ico", Reply(204))
    for path in ("/cb", "/bye", "/out"):
        receiver.answer(path, Reply(200, f"<!doctype html><title>app</title><p id='at'>{path}</p>", HTML))
    addresses = {"redirect_uris": (receiver.url("/cb"),), "post_logout_redirect_uris": (receiver.url("/bye"),)}
    return site.application("Orders", **(addresses | settings))


def signed_in(page: "Page", site: Site, client: Client, receiver: Receiver) -> dict[str, str]:
    """Sign in as a person does; the authorization response."""
    before = len(receiver.at("/cb"))
    page.goto(site.authorize_url(client))
    if page.query_selector("#login-submit"):
        fill_login(page, site.jane.username, site.jane.password)
    page.wait_for_selector("#at")
    return receiver.wait_for("/cb", before + 1)[-1].query


def with_frame(page: "Page", site: Site, receiver: Receiver) -> None:
    """Open a page of the application that holds our frame."""
    body = f'<!doctype html><title>app</title><iframe id="op" name="op" src="{site.base}/oidc/checksession"></iframe>'
    receiver.answer("/app", Reply(200, body, HTML))
    page.goto(receiver.url("/app"))


def ask(page: "Page", site: Site, message: str) -> str:
    """What the frame answers, which has to come from our origin."""
    answer, origin = page.evaluate(ASK, [message, site.server.base_url])
    assert origin == site.server.base_url
    assert isinstance(answer, str)
    return answer


@pytest.mark.spec("OpenID Connect Session Management", "3.1")
@pytest.mark.spec("OpenID Connect Session Management", "3.2")
def test_a_page_of_an_application_notices_a_sign_out_elsewhere(
    quick_page: "Page", site: Site, receiver: Receiver
) -> None:
    page, client = quick_page, application_of(site, receiver)
    response = signed_in(page, site, client, receiver)
    with_frame(page, site, receiver)
    question = f"{client.client_id} {response['session_state']}"
    assert ask(page, site, question) == "unchanged"
    assert ask(page, site, question) == "unchanged"
    other = page.context.new_page()
    other.goto(f"{site.base}/oidc/logout")
    other.click("#logout-confirm")
    other.wait_for_selector("#logged-out")
    assert ask(page, site, question) == "changed"


def test_a_page_where_nobody_is_signed_in_notices_a_sign_in(quick_page: "Page", site: Site, receiver: Receiver) -> None:
    page, client = quick_page, application_of(site, receiver)
    page.goto(site.authorize_url(client, prompt="none"))
    nobody = receiver.wait_for("/cb")[-1].query
    assert nobody["error"] == "login_required"
    with_frame(page, site, receiver)
    question = f"{client.client_id} {nobody['session_state']}"
    assert ask(page, site, question) == "unchanged"
    other = page.context.new_page()
    signed_in(other, site, client, receiver)
    assert ask(page, site, question) == "changed"


@pytest.mark.spec("OpenID Connect Session Management", "3.2")
@pytest.mark.parametrize(
    "message", ["", "x", " ", "client ", "client x", "client .", "client x.", "client .x", "a b.c.d"]
)
def test_what_is_no_question(quick_page: "Page", site: Site, receiver: Receiver, message: str) -> None:
    with_frame(quick_page, site, receiver)
    assert ask(quick_page, site, message) == "error"


def test_its_own_hash_is_sha_256(quick_page: "Page", site: Site, receiver: Receiver) -> None:
    """Every length around the ends of blocks, and letters of one to four bytes."""
    with_frame(quick_page, site, receiver)
    for client_id in [*("c" * length for length in range(1, 140)), "ä€😀", "two words"]:
        value = session_state(client_id, receiver.url("/cb"), "")
        assert ask(quick_page, site, f"{client_id} {value}") == "unchanged", client_id


def test_a_question_of_another_origin_is_about_that_origin(quick_page: "Page", site: Site, receiver: Receiver) -> None:
    with_frame(quick_page, site, receiver)
    stolen = session_state("client", "https://app.example/cb", "")
    assert ask(quick_page, site, f"client {stolen}") == "changed"


def test_only_the_page_that_holds_the_frame_is_answered(quick_page: "Page", site: Site, receiver: Receiver) -> None:
    """§3.2: a neighbour frame in the same page, which can reach ours, gets nothing."""
    value = session_state("client", receiver.url("/cb"), "")
    receiver.answer("/neighbour", Reply(200, "<!doctype html><title>n</title>", HTML))
    body = (
        f'<!doctype html><title>app</title><iframe id="op" name="op" src="{site.base}/oidc/checksession"></iframe>'
        f'<iframe name="neighbour" src="{receiver.url("/neighbour")}"></iframe>'
    )
    receiver.answer("/app", Reply(200, body, HTML))
    quick_page.goto(receiver.url("/app"))
    neighbour = quick_page.frame("neighbour")
    assert neighbour is not None
    neighbour.evaluate(
        """([message, origin]) => {
            window.heard = [];
            addEventListener("message", (event) => window.heard.push(event.data));
            parent.frames["op"].postMessage(message, origin);
        }""",
        [f"client {value}", site.server.base_url],
    )
    assert ask(quick_page, site, f"client {value}") == "unchanged"
    assert neighbour.evaluate("window.heard") == []


@pytest.mark.spec("OpenID Connect Front-Channel Logout", "2")
def test_frames_are_loaded_before_the_page_goes_on(quick_page: "Page", site: Site, receiver: Receiver) -> None:
    page = quick_page
    client = application_of(site, receiver, frontchannel_logout_uri=receiver.url("/out"))
    code = signed_in(page, site, client, receiver)["code"]
    hint = site.redeem(client, code).json()["id_token"]
    page.goto(f"{site.base}/oidc/logout?id_token_hint={hint}&post_logout_redirect_uri={receiver.url('/bye')}&state=s")
    page.wait_for_url(f"{receiver.url('/bye')}?state=s")
    (visit,) = receiver.at("/out")
    assert visit.query["iss"] == site.issuer
    assert visit.headers.get("referer") is None
    assert [request.path for request in receiver.received].index("/out") < [
        request.path for request in receiver.received
    ].index("/bye")


def test_a_frame_that_hangs_holds_nobody_up(quick_page: "Page", site: Site, receiver: Receiver) -> None:
    page = quick_page
    client = application_of(site, receiver, frontchannel_logout_uri=receiver.url("/out"))
    code = signed_in(page, site, client, receiver)["code"]
    hint = site.redeem(client, code).json()["id_token"]
    never = Event()
    receiver.answer("/out", Reply(200, after=never))
    page.clock.install()
    page.goto(
        f"{site.base}/oidc/logout?id_token_hint={hint}&post_logout_redirect_uri={receiver.url('/bye')}",
        wait_until="commit",
    )
    receiver.wait_for("/out")
    page.wait_for_selector("#logout-return")
    assert receiver.at("/bye") == []
    page.clock.fast_forward(5000)
    page.wait_for_url(receiver.url("/bye"))
    never.set()


def test_without_scripts_the_page_goes_on_too(chromium: "Browser", site: Site, receiver: Receiver) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = watched_page(context)
    client = application_of(site, receiver, frontchannel_logout_uri=receiver.url("/out"))
    code = signed_in(page, site, client, receiver)["code"]
    hint = site.redeem(client, code).json()["id_token"]
    page.goto(f"{site.base}/oidc/logout?id_token_hint={hint}&post_logout_redirect_uri={receiver.url('/bye')}")
    page.wait_for_url(receiver.url("/bye"))
    assert receiver.at("/out")
    context.close()


def test_an_application_that_refuses_frames_is_no_obstacle(quick_page: "Page", site: Site, receiver: Receiver) -> None:
    page = quick_page
    client = application_of(site, receiver, frontchannel_logout_uri=receiver.url("/out"))
    code = signed_in(page, site, client, receiver)["code"]
    hint = site.redeem(client, code).json()["id_token"]
    receiver.answer("/out", Reply(200, "no", (*HTML, ("x-frame-options", "DENY"))))
    page.goto(f"{site.base}/oidc/logout?id_token_hint={hint}&post_logout_redirect_uri={receiver.url('/bye')}")
    page.wait_for_url(receiver.url("/bye"))
    assert all("Refused to display" in problem for problem in forgive(page))
