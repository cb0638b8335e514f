"""An application that signs people in on a page of its own (wso2-contracts §1.6)."""

from typing import Any

import httpx

from tests.support.builders import Client, Person, Pkce, Site

BASIC = "QmFzaWNBdXRoZW50aWNhdG9yOkxPQ0FM"
"""Base64 of `BasicAuthenticator:LOCAL`."""


class NativeLogin:
    """One sign-in. `pkce` is that of the application's request."""

    def __init__(self, site: Site, client: Client) -> None:
        self.site = site
        self.client = client
        self.pkce = Pkce()
        self.flow_id = ""

    def request(self, **parameters: str | None) -> dict[str, str]:
        values: dict[str, str | None] = {
            "client_id": self.client.client_id,
            "response_type": "code",
            "response_mode": "direct",
            "redirect_uri": self.client.redirect_uri,
            "scope": "openid",
            "state": "the-state",
            **self.pkce.parameters,
        }
        return {name: value for name, value in (values | parameters).items() if value is not None}

    def begin(self, *, auth: tuple[str, str] | None = None, **parameters: str | None) -> httpx.Response:
        """A confidential application authenticates, unless `auth` says otherwise."""
        credentials = auth if auth is not None else self.client.basic if self.client.secret else None
        response = self.site.http.post(
            "/oauth2/authorize", data=self.request(**parameters), auth=credentials or httpx.USE_CLIENT_DEFAULT
        )
        self.flow_id = response.json().get("flowId", "") if response.status_code == 200 else ""
        return response

    def begun(self, **parameters: str | None) -> "NativeLogin":
        response = self.begin(auth=None, **parameters)
        assert response.status_code == 200, response.text
        return self

    def post(self, body: Any) -> httpx.Response:
        return self.site.http.post("/oauth2/authn", json=body)

    def answer(self, username: str, password: str, **changes: Any) -> httpx.Response:
        body: dict[str, Any] = {
            "flowId": self.flow_id,
            "selectedAuthenticator": {
                "authenticatorId": BASIC,
                "params": {"username": username, "password": password},
            },
        }
        return self.post(body | changes)

    def sign_in(self, person: Person) -> httpx.Response:
        return self.answer(person.username, person.password)

    def code(self, person: Person) -> str:
        response = self.sign_in(person)
        assert response.json()["flowStatus"] == "SUCCESS_COMPLETED", response.text
        code: str = response.json()["authData"]["code"]
        return code

    def redeem(self, code: str) -> httpx.Response:
        return self.site.redeem(self.client, code, code_verifier=self.pkce.verifier)


def native_application(site: Site, **settings: Any) -> Client:
    """A public application, as those in people's hands are."""
    values: dict[str, Any] = {"native_login": True, "token_endpoint_auth_method": "none"}
    return site.application("Native", **(values | settings))
