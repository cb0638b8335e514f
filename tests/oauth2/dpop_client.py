"""The steps of a DPoP client (RFC 9449): tokens bound to a key, and their use."""

from typing import Any

import httpx

from tests.support.builders import Client, Pkce, Site
from tests.support.in_process import SetClock
from tests.support.key_holder import KeyHolder

GRANT = {"grant_type": "client_credentials"}


def outcome(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("error", "")


def seconds(clock: SetClock) -> int:
    return clock.now() // 1_000_000


def token_uri(site: Site) -> str:
    return f"{site.base}/oauth2/token"


def userinfo_uri(site: Site) -> str:
    return f"{site.base}/oauth2/userinfo"


def ask(site: Site, client: Client, proof: str | None, **form: str) -> httpx.Response:
    """A token request with the client's secret and this proof."""
    headers = {} if proof is None else {"DPoP": proof}
    auth: Any = None
    data = GRANT | form
    if client.secret is None:
        data |= {"client_id": client.client_id}
    else:
        auth = client.basic
    return site.http.post("/oauth2/token", data=data, auth=auth, headers=headers)


def bound_tokens(site: Site, client: Client, key: KeyHolder, **parameters: str | None) -> dict[str, Any]:
    """Sign in as Jane, and redeem the code with a proof."""
    pkce = Pkce()
    code = site.code(client, site.jane, **(dict(pkce.parameters) | parameters))
    response = redeem(site, client, code, pkce, key)
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.json()
    return tokens


def redeem(site: Site, client: Client, code: str, pkce: Pkce, key: KeyHolder | None) -> httpx.Response:
    form = {"code": code, "redirect_uri": client.redirect_uri, "code_verifier": pkce.verifier}
    proof = None if key is None else key.proof("POST", token_uri(site))
    return ask(site, client, proof, grant_type="authorization_code", **form)


def userinfo(site: Site, key: KeyHolder | None, token: str, *, scheme: str = "DPoP", **claims: Any) -> httpx.Response:
    headers = {"Authorization": f"{scheme} {token}"}
    if key is not None:
        headers["DPoP"] = key.proof("GET", userinfo_uri(site), access_token=token, **claims)
    return site.http.get("/oauth2/userinfo", headers=headers)
