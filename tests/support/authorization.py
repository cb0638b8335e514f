"""Authorization requests as applications make them: signed in a request object, pushed, and their responses read."""

import base64
import json
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from joserfc import jwe
from joserfc.jwk import RSAKey

from identity.administration.api_resources import create_api_resource
from identity.domain.api_resources import ApiResource, ApiResourceId, DetailsType
from tests.support.browser import Page
from tests.support.builders import CALLBACK, Client, Site
from tests.support.key_holder import KeyHolder, new_jti


def carried(page: Page) -> tuple[str, dict[str, str]]:
    """How a response travelled, and its parameters: `query`, `fragment`, `form_post`."""
    location = page.header("location")
    if location is not None:
        parts = urlsplit(location)
        carrier = "fragment" if parts.fragment else "query"
        return carrier, dict(parse_qsl(parts.fragment or parts.query, keep_blank_values=True))
    fields = page.element("form-post").all("input")
    return "form_post", {field.attributes["name"]: field.attributes["value"] for field in fields}


def plain_request(client: Client, **parameters: Any) -> dict[str, Any]:
    """An authorization request's parameters; None leaves one out."""
    values: dict[str, Any] = {
        "client_id": client.client_id, "response_type": "code", "redirect_uri": client.redirect_uri, "scope": "openid",
        "state": "the-state",
    }  # fmt: skip
    return {name: value for name, value in (values | parameters).items() if value is not None}


def request_object(
    site: Site,
    client: Client,
    holder: KeyHolder,
    *,
    now: float | None = None,
    header: dict[str, Any] | None = None,
    **claims: Any,
) -> str:
    """A signed request; None leaves a claim out."""
    at = int(time.time() if now is None else now)
    told = {"iss": client.client_id, "aud": site.issuer, "nbf": at, "exp": at + 300, "jti": new_jti()}
    return holder.sign({"kid": holder.kid, "typ": "oauth-authz-req+jwt"} | (header or {}),
                       told | plain_request(client) | claims)  # fmt: skip


def signing_client(site: Site, holder: KeyHolder, **settings: Any) -> Client:
    return site.application("Signing", jwks=holder.jwks, **settings)


def push(site: Site, client: Client, *, headers: dict[str, str] | None = None, **parameters: Any) -> httpx.Response:
    """Push a request with the client's secret."""
    form = plain_request(client, **parameters)
    if client.secret is None:
        return site.http.post("/oauth2/par", data=form, headers=headers)
    del form["client_id"]
    return site.http.post("/oauth2/par", data=form, auth=client.basic, headers=headers)


def pushed_uri(site: Site, client: Client, **parameters: Any) -> str:
    response = push(site, client, **parameters)
    assert response.status_code == 201, response.text
    uri: str = response.json()["request_uri"]
    return uri


def pushed_url(site: Site, client: Client, request_uri: str) -> str:
    return f"{site.base}/oauth2/authorize?" + urlencode({"client_id": client.client_id, "request_uri": request_uri})


def api(site: Site, identifier: str, *types: DetailsType, name: str = "An API") -> ApiResource:
    return site.administer(
        lambda a: create_api_resource(a, site.tenant, identifier=identifier, name=name, details_types=types)
    )


def payment_type(type: str = "payment", **changes: Any) -> DetailsType:
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["instructedAmount", "actions"],
        "properties": {
            "actions": {"type": "array", "items": {"enum": ["initiate", "status", "cancel"]}, "title": "It may"},
            "instructedAmount": {
                "type": "object", "title": "Amount", "required": ["currency", "amount"],
                "properties": {"currency": {"type": "string", "enum": ["EUR", "CHF"]}, "amount": {"type": "string"}},
            },
            "creditorName": {"type": "string", "maxLength": 70},
        },
    }  # fmt: skip
    values = {"name": "A payment", "description": "One transfer from your account.", "schema": schema} | changes
    return DetailsType(type=type, api=ApiResourceId(""), id=f"id-{type}", **values)


def payment(**changes: Any) -> dict[str, Any]:
    amount = {"currency": "EUR", "amount": "12.50"}
    made = {"type": "payment", "actions": ["initiate", "status"], "instructedAmount": amount}
    return made | {"creditorName": "Garden Ltd"} | changes


class EncryptionKey:
    """A client's key that responses are encrypted to, beside one that it signs with."""

    def __init__(self, signer: KeyHolder | None = None) -> None:
        self.signer = signer or KeyHolder()
        self._key = RSAKey.generate_key(2048)

    @property
    def jwks(self) -> str:
        own = self._key.as_dict(private=False) | {"kid": "e1", "use": "enc"}
        return json.dumps({"keys": [*json.loads(self.signer.jwks)["keys"], own]})

    def decrypted(self, token: str) -> str:
        plain = jwe.decrypt_compact(token, self._key, algorithms=["RSA-OAEP-256", "A128GCM", "A256GCM"]).plaintext
        assert plain is not None
        return plain.decode()


def header_of(jwt: str) -> dict[str, Any]:
    segment = jwt.split(".")[0]
    header: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return header


__all__ = [
    "CALLBACK", "EncryptionKey", "api", "carried", "header_of", "payment", "payment_type", "plain_request", "push",
    "pushed_uri", "pushed_url", "request_object", "signing_client",
]  # fmt: skip
