"""Attack row 33: many at once, each with a mark of their own, and no mark in another's answer.

Ory Oathkeeper 26.2.5: one global error object carried details of one caller to the next.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from types import ModuleType
from urllib.parse import quote

import httpx
import pytest

from tests.attacks.targets import tokens_of
from tests.support.builders import Site

CALLERS = 12
ROUNDS = 2


def marks() -> list[str]:
    return [f"mark{secrets.token_hex(8)}" for _ in range(CALLERS)]


async def _together(site: Site, requests: list[tuple[str, httpx.Request]]) -> list[tuple[str, httpx.Response]]:
    limits = httpx.Limits(max_connections=len(requests))
    async with httpx.AsyncClient(trust_env=False, timeout=60, limits=limits) as client:
        answers = await asyncio.gather(*(client.send(request) for _, request in requests))
    return [(mark, answer) for (mark, _), answer in zip(requests, answers, strict=True)]


def assert_nobody_elses(answers: list[tuple[str, httpx.Response]], everybody: list[str]) -> None:
    for own, answer in answers:
        text = answer.text + str(answer.headers)
        assert [mark for mark in everybody if mark != own and mark in text] == [], answer


def test_claims_and_introspection(site: Site) -> None:
    """Each person's token, asked about at the same moment as all the others'."""
    client, everybody = site.application(access_token_type="opaque"), marks()
    own_tokens = {}
    for mark in everybody:
        person = site.person(mark, name=f"{mark} name", email=f"{mark}@example.org")
        own_tokens[mark] = tokens_of(site, client, person, site.browser(), scope="openid profile email")["access_token"]
    requests = []
    for _ in range(ROUNDS):
        for mark, token in own_tokens.items():
            headers = {"Authorization": f"Bearer {token}"}
            requests.append((mark, httpx.Request("GET", f"{site.base}/oauth2/userinfo", headers=headers)))
            form = {"token": token, "client_id": client.client_id, "client_secret": str(client.secret)}
            requests.append((mark, httpx.Request("POST", f"{site.base}/oauth2/introspect", data=form)))
    answers = asyncio.run(_together(site, requests))
    assert {answer.status_code for _, answer in answers} == {200}
    assert_nobody_elses(answers, everybody)
    assert all(mark in answer.text for mark, answer in answers)


def test_errors_and_pages(site: Site) -> None:
    """What is refused carries nothing of the request that was refused before or beside it."""
    client, everybody = site.application(), marks()
    made: tuple[Callable[[str], httpx.Request], ...] = (
        lambda mark: httpx.Request("GET", site.authorize_url(client, state=mark, login_hint=mark, prompt="none")),
        lambda mark: httpx.Request("GET", site.authorize_url(client, redirect_uri=f"https://{mark}.example/")),
        lambda mark: httpx.Request("GET", site.authorize_url(client, state=mark, response_type=mark)),
        lambda mark: httpx.Request("GET", f"{site.base}/{mark}", headers={"Accept": "text/html"}),
        lambda mark: httpx.Request("GET", f"{site.base}/login/{mark}", headers={"Cookie": f"__Host-flow-{mark}=x"}),
        lambda mark: httpx.Request("GET", f"{site.base}/oidc/logout?client_id={mark}&state={mark}"),
        lambda mark: httpx.Request("POST", f"{site.base}/oauth2/token", data={"grant_type": mark, "client_id": mark}),
        lambda mark: httpx.Request("GET", f"{site.base}/oauth2/userinfo", headers={"Authorization": f"Bearer {mark}"}),
        lambda mark: httpx.Request("POST", f"{site.base}/account", data={mark: mark}, headers={"Origin": quote(mark)}),
    )
    requests = [(mark, make(mark)) for _ in range(ROUNDS) for mark in everybody for make in made]
    answers = asyncio.run(_together(site, requests))
    assert_nobody_elses(answers, everybody)
    assert max(answer.status_code for _, answer in answers) < 500


def test_sign_ins(site: Site) -> None:
    """Everybody signs in at once: each browser gets its own session, flow and code."""
    client, everybody = site.application(), marks()
    people = {mark: site.person(mark, name=mark) for mark in everybody}
    browsers = {mark: site.browser() for mark in everybody}
    pages = {mark: browsers[mark].get(site.authorize_url(client, state=mark, login_hint=mark)) for mark in everybody}
    requests = []
    for mark, page in pages.items():
        form = {
            "username": mark, "password": people[mark].password,
            "csrf_token": page.text.split('name="csrf_token" value="')[1].split('"')[0],
        }  # fmt: skip
        headers = {"Origin": site.server.base_url, "Cookie": browsers[mark].cookies.header(page.url)}
        requests.append((mark, httpx.Request("POST", page.url, data=form, headers=headers)))
    answers = asyncio.run(_together(site, requests))
    assert {answer.status_code for _, answer in answers} == {303}
    assert_nobody_elses(answers, everybody)
    for mark, answer in answers:
        for header in answer.headers.get_list("set-cookie"):
            browsers[mark].cookies.store(pages[mark].url, header)
        account = browsers[mark].get(f"{site.base}/account").text
        assert mark in account
        assert [other for other in everybody if other != mark and other in account] == []


@pytest.mark.parametrize(
    "name",
    [
        "identity.errors", "identity.oauth2.errors", "identity.web.messages", "identity.web.failures",
        "identity.tokens.bearer", "identity.authn.login_flow", "identity.domain.tenants",
        "identity.domain.applications", "identity.web.cors",
    ],
)  # fmt: skip
def test_no_module_keeps_an_error_or_a_request(name: str) -> None:
    """Errors are made for each request; what modules keep are constants, frozen where they are objects."""
    import importlib

    module: ModuleType = importlib.import_module(name)
    for attribute, value in vars(module).items():
        assert not isinstance(value, BaseException), attribute
        if is_dataclass(value) and not isinstance(value, type) and fields(value):
            assert type(value).__dataclass_params__.frozen, attribute  # type: ignore[attr-defined]
