"""A scripted login outlives its server: killed between and during steps it goes on, and nothing happens twice."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPException
from threading import Event
from urllib.parse import urlsplit

import pytest

from identity.domain.deliveries import DeliveryKind
from identity.domain.tenants import TenantSettings
from identity.storage.deliveries import list_deliveries
from tests.support.browser import Browser, Page
from tests.support.builders import Site, response_parameters
from tests.support.receiver import Receiver, Reply
from tests.support.scripts import app_code, begun, enrol_app, scripted, with_password
from tests.support.server import Engine, RunningServer, start_server


@pytest.fixture(scope="module")
def server(
    engine: Engine, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server of our own, that may be killed."""
    running = start_server(engine, request, tmp_path_factory.mktemp("survival"), test_mode="true")
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def site(server: RunningServer) -> Iterator[Site]:
    made = Site(server, f"t{secrets.token_hex(6)}", TenantSettings(script_hosts=("localhost",)))
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def reloaded(server: RunningServer, browser: Browser, page: Page) -> Page:
    """The server comes back, at another port, and the person loads the page again."""
    server.start()
    browser.base_url = server.base_url
    return browser.get(urlsplit(page.url).path)


def asking(call: str) -> str:
    return """
    var onLoginRequest = function (context) {
      executeStep(1, { onSuccess: function (context) {
        sendEmail(context.currentKnownSubject, 'generic', { subject: 'Once', body: 'only' });
        %s {
          onSuccess: function (context, data) { if (data.score > 50) { fail({ errorCode: 'too_risky' }); } },
          onTimeout: function (context) { fail({ errorCode: 'timed_out' }); },
          onFail: function (context) { fail({ errorCode: 'failed' }); } });
      }});
    };""".replace("%s", call)


def test_killed_between_steps(site: Site, server: RunningServer) -> None:
    source = "var onLoginRequest = function (c) { executeStep(1, { onSuccess: function (c) { executeStep(2); } }); };"
    client, browser = scripted(site, source, ("totp",)), site.browser()
    secret, _ = enrol_app(with_password(begun(site, client), site.jane))
    page = with_password(begun(site, client, browser), site.jane)
    server.kill()
    page = reloaded(server, browser, page)
    assert page.has("code-submit")
    assert "code" in response_parameters(page.submit("code-submit", code=app_code(secret, later=1)))


@pytest.mark.parametrize(
    ("call", "method", "times", "outcome"),
    [
        ("httpGet('{url}', {{}},", "GET", 2, "code"),
        ("httpPost('{url}', {{ip: '192.0.2.1'}}, {{}},", "POST", 1, "timed_out"),
    ],
    ids=["a GET is sent again", "a POST is not"],
)
def test_killed_during_a_call(
    site: Site, server: RunningServer, receiver: Receiver, call: str, method: str, times: int, outcome: str
) -> None:
    held = Event()
    receiver.answer("/score", replace(Reply.json({"score": 1}), after=held), Reply.json({"score": 1}))
    jane = site.person("janet", email="janet@example.org", email_verified=True)
    client, browser = scripted(site, asking(call.format(url=receiver.url("/score")))), site.browser()
    page = begun(site, client, browser)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(with_password, page, jane)
        receiver.wait_for("/score")
        server.kill()
        with pytest.raises((OSError, HTTPException)):
            answer.result(30)
    held.set()
    page = reloaded(server, browser, page)
    parameters = response_parameters(page)
    assert outcome in (parameters.get("error"), *parameters)
    sent = [request for request in receiver.received if request.path == "/score"]
    assert [request.method for request in sent] == [method] * times
    assert len({request.headers["idempotency-key"] for request in sent}) == 1
    # Of the outbox: the killed server may have taken the mail already, and then it is sent when its lease is over.
    deliveries = site.administer(lambda a: list_deliveries(a.database, site.tenant.id))
    assert [delivery.kind for delivery in deliveries].count(DeliveryKind.MAIL) == 1


def test_calls_run_side_by_side_and_their_answers_decide(site: Site, receiver: Receiver) -> None:
    receiver.answer("/a", Reply.json({"score": 60}))
    receiver.answer("/b", Reply(200, "fine", (("content-type", "text/plain"),)))
    source = """
    async function onLogin(ctx) {
      const first = await step(1);
      if (!first.ok) deny();
      const [a, b] = await Promise.all([http.post('%a', { ip: ctx.request.ip }), http.get('%b')]);
      if (a.data.score > 50 && b.data.response === 'fine') deny({ errorCode: 'too_risky' });
    }""".replace("%a", receiver.url("/a")).replace("%b", receiver.url("/b"))
    client = scripted(site, source)
    page = with_password(begun(site, client), site.jane)
    assert response_parameters(page)["error"] == "too_risky"
    assert receiver.wait_for("/a")[0].json() == {"ip": "127.0.0.1"}


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}/x", "https://localhost.evil.example/x", "http://169.254.169.254/x", "http://[::1]:{port}/x",
     "http://2130706433:{port}/x", "file:///etc/passwd", "http://user@localhost:{port}/x"],
)  # fmt: skip
def test_hosts_that_are_not_listed_are_not_called(site: Site, receiver: Receiver, url: str) -> None:
    """Attack row 13."""
    client = scripted(site, asking(f"httpGet('{url.format(port=receiver.port)}', {{}},"))
    page = with_password(begun(site, client), site.jane)
    assert response_parameters(page)["error"] == "failed"
    assert receiver.received == []


def test_a_redirect_is_not_followed(site: Site, receiver: Receiver) -> None:
    receiver.answer("/score", Reply(302, b"", (("location", receiver.url("/other")),)))
    client = scripted(site, asking(f"httpGet('{receiver.url('/score')}', {{}},"))
    page = with_password(begun(site, client), site.jane)
    assert response_parameters(page)["error"] == "failed"
    assert [request.path for request in receiver.received] == ["/score"]
