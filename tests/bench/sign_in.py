"""The stateful work: signing in as a browser does it, and exchanging refresh tokens in chains."""

import base64
import hashlib
import html
import json
import re
import secrets
from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from identity.authn.authenticators import TOTP
from tests.bench.installation import PASSWORD, PEOPLE, Client, Installation
from tests.bench.scripted import CALLBACK
from tests.bench.wire import Http, Surprise

_CSRF = re.compile(rb'name="csrf_token" value="([^"]+)"')
_TURN = count()


async def full_login(
    http: Http,
    base_url: str,
    client: Client,
    scope: str = "openid profile email",
    *,
    redeem: bool = True,
    username: str = "",
    code: Callable[[], str] | None = None,
) -> dict[str, Any]:
    """Authorization request with PKCE, login page, password, code, tokens: five requests; with the `code` of a second
    factor its page and its form, too. The token response, or with `redeem=False` nothing, and the session's cookies
    stay with `http`."""
    http.cookies.clear()
    verifier = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = urlencode({
        "client_id": client.application.client_id, "response_type": "code", "redirect_uri": CALLBACK, "scope": scope,
        "state": "s", "nonce": "n", "code_challenge": challenge, "code_challenge_method": "S256",
    })  # fmt: skip
    answer = await http.request("GET", f"/oauth2/authorize?{query}")
    _expect(answer.status == 303, answer)
    username = username or f"person{next(_TURN) % PEOPLE}"
    onward = await _fill_in(http, base_url, answer.location, username=username, password=PASSWORD)
    if code is not None:
        onward = await _fill_in(http, base_url, onward, authenticator=TOTP, code=code())
    answer = await http.request("GET", onward)
    _expect(answer.status == 303 and answer.location.startswith(CALLBACK), answer)
    if not redeem:
        return {}
    given = parse_qs(urlsplit(answer.location).query)["code"][0]
    return await _tokens(http, client, grant_type="authorization_code", code=given, redirect_uri=CALLBACK,
                         code_verifier=verifier)  # fmt: skip


async def _fill_in(http: Http, base_url: str, page: str, **fields: str) -> str:
    """Load the page of a step and send its form; where to go then."""
    answer = await http.request("GET", page)
    token = _CSRF.search(answer.body)
    _expect(answer.status == 200 and token is not None, answer)
    assert token is not None
    form = {"csrf_token": html.unescape(token[1].decode()), "action": "login", **fields}
    answer = await http.request("POST", page, form, Origin=base_url)
    _expect(answer.status == 303, answer)
    return answer.location


async def refresh(http: Http, client: Client, refresh_token: str) -> str:
    """One exchange; the next token of the chain."""
    tokens = await _tokens(http, client, grant_type="refresh_token", refresh_token=refresh_token)
    _expect(tokens["refresh_token"] != refresh_token, tokens)
    return str(tokens["refresh_token"])


async def first_tokens(place: Installation, scope: str = "openid profile email") -> dict[str, Any]:
    base_url = place.server.base_url
    async with Http(base_url) as http:
        return await full_login(http, base_url, place.clients["web"], scope)


async def _tokens(http: Http, client: Client, **form: str) -> dict[str, Any]:
    http.cookies.clear()
    answer = await http.request("POST", "/oauth2/token", form, Authorization=client.basic)
    _expect(answer.status == 200, answer)
    tokens: dict[str, Any] = json.loads(answer.body)
    return tokens


def _expect(good: bool, what: object) -> None:
    if not good:
        raise Surprise(repr(what)[:400])
