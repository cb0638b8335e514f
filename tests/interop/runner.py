"""An outside certification run, by joserfc and httpx: it knows addresses, standards, and clients and keys of its own.

Nothing of the server is imported here. The browser does on pages what the installation's page tells suites to do.
"""

import base64
import fnmatch
import hashlib
import http.client
import ssl
import time
from contextlib import ExitStack, closing
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.interop.installation import Installation
from tests.support.browser import Browser, Page, Request
from tests.support.key_holder import ASSERTION_TYPE, KeyHolder, new_jti

Answer = dict[str, Any]
SIGNATURES = ("RS256", "PS256", "ES256")


class TlsBrowser(Browser):
    def __init__(self, base_url: str, context: ssl.SSLContext) -> None:
        super().__init__(base_url)
        self._context = context

    def _exchange(self, request: Request, headers: dict[str, str], body: bytes | None) -> Page:
        parts = urlsplit(request.url)
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=60, context=self._context)
        with closing(connection):
            connection.request(request.method, target, body, headers)
            response = connection.getresponse()
            return Page(self, request.url, response.status, response.getheaders(), response.read())


class Runner:
    """One run against one tenant. `certificate` names the client certificate it shows where one is asked for."""

    def __init__(self, installation: Installation, tenant: str, certificate: str | None = None) -> None:
        self.installation = installation
        self.issuer = f"{installation.base}/t/{tenant}"
        self._opened = ExitStack()
        self.http = self._client(None)
        self.at_mtls = self._client(certificate)
        self.metadata: Answer = self.http.get(f"{self.issuer}/.well-known/openid-configuration").json()
        assert self.metadata["issuer"] == self.issuer
        self.browser = TlsBrowser(installation.base, installation.context())

    def close(self) -> None:
        self._opened.close()

    def _client(self, certificate: str | None) -> httpx.Client:
        context = self.installation.context(certificate)
        return self._opened.enter_context(httpx.Client(verify=context, trust_env=False, timeout=30))

    def endpoint(self, name: str, *, mtls: bool = False) -> str:
        """An endpoint from the metadata; RFC 8705 §5 for clients with a certificate."""
        found: str = (self.metadata["mtls_endpoint_aliases"] if mtls else self.metadata)[f"{name}_endpoint"]
        return found

    # The person

    def authorize(self, **parameters: str) -> Answer:
        """The authorization response: a person signs in and agrees wherever the server asks."""
        return response_of(self.walk(f"{self.metadata['authorization_endpoint']}?{urlencode(parameters)}"))

    def walk(self, url: str) -> Page:
        """Follow an address and do what the suite's browser is told to, until the server's pages are left."""
        page = self.browser.get(url)
        for _ in range(5):
            step = self._step_for(page)
            if page.left_for is not None or step is None:
                return page
            values: dict[str, Any] = {command[2]: command[3] for command in step if command[0] == "text"}
            (button,) = (command[2] for command in step if command[0] == "click")
            if not page.has(button):
                return page
            page = page.submit(button, **values)
        raise AssertionError(f"no way out: {page}")

    def _step_for(self, page: Page) -> list[list[str]] | None:
        steps = self.installation.browser_steps
        return next((step["commands"] for step in steps if fnmatch.fnmatch(page.url, step["match"])), None)

    # The client

    def post(self, name: str, form: Answer, *, mtls: bool = False, **arguments: Any) -> httpx.Response:
        client = self.at_mtls if mtls else self.http
        return client.post(self.endpoint(name, mtls=mtls), data=form, **arguments)

    def userinfo(self, token: str) -> Answer:
        response = self.http.get(self.endpoint("userinfo"), headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 200, response.text
        claims: Answer = response.json()
        return claims

    def keys(self) -> KeySet:
        return KeySet.import_key_set(self.http.get(self.metadata["jwks_uri"]).json())

    def verified(self, token: str) -> Any:
        """Header and claims of a JWT of the server. The keys are fetched anew, as for an unknown kid."""
        return jwt.decode(token, self.keys(), algorithms=list(SIGNATURES))

    def id_token(self, token: str, client_id: str, **expected: str) -> Answer:
        """The claims of a valid ID token (OpenID Connect Core §3.1.3.7). `expected`: nonce, or values to be hashed
        as `code`, `access_token`, `state`."""
        decoded = self.verified(token)
        claims: Answer = decoded.claims
        assert decoded.header["alg"] in self.metadata["id_token_signing_alg_values_supported"]
        assert claims["iss"] == self.issuer
        assert claims["aud"] in (client_id, [client_id])
        assert claims["iat"] <= time.time() + 5 < claims["exp"] + 5
        assert len(claims["sub"]) <= 255
        if "nonce" in expected:
            assert claims["nonce"] == expected.pop("nonce")
        for name, value in expected.items():
            member = {"code": "c_hash", "access_token": "at_hash", "state": "s_hash"}[name]
            assert claims[member] == half_hash(value), member
        return claims

    def assertion(self, client_id: str, key: KeyHolder) -> Answer:
        """Form members of private_key_jwt, for the issuer."""
        return {
            "client_id": client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": key.assertion(client_id, self.issuer),
        }

    def request_object(self, client_id: str, key: KeyHolder, /, **parameters: Any) -> str:
        at = int(time.time())
        claims = {"iss": client_id, "aud": self.issuer, "nbf": at, "exp": at + 300, "iat": at, "jti": new_jti()}
        header = {"kid": key.kid, "typ": "oauth-authz-req+jwt"}
        return key.sign(header, claims | {"client_id": client_id} | parameters)


def response_of(page: Page) -> Answer:
    """The parameters that left for the application, by query, fragment or form post, and in `mode` which of them."""
    if page.left_for is None and page.has("form-post"):
        page = page.submit("form-post-submit")
    assert page.left_for is not None, page
    parts = urlsplit(page.left_for.url)
    if page.left_for.method == "POST":
        return dict(page.left_for.fields) | {"mode": "form_post"}
    text, mode = (parts.fragment, "fragment") if parts.fragment else (parts.query, "query")
    return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True)) | {"mode": mode}


def half_hash(value: str) -> str:
    """OpenID Connect Core §3.1.3.6, for algorithms with SHA-256."""
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:16]).decode().rstrip("=")
