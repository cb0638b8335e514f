"""Clients of a higher grade: each call carries a signature of its own, or hangs together with the one before."""

import json
from collections.abc import Mapping
from itertools import count
from urllib.parse import urlencode

from identity.domain.applications import DEVICE_CODE
from tests.bench.installation import Installation
from tests.bench.proofs import JWT_BEARER_ASSERTION, assertion, proof
from tests.bench.scripted import CALLBACK
from tests.bench.sign_in import full_login
from tests.bench.wire import Answer, Http, Surprise, request_bytes


class Callers:
    """Work for virtual users, over one installation."""

    def __init__(self, place: Installation) -> None:
        self._place = place
        self._base_url = place.server.base_url
        self._turn = count()
        self._cookies: dict[int, dict[str, str]] = {}

    async def dpop_token(self, http: Http, number: int) -> None:
        """Client credentials with a proof: a JWT signed with ES256, bound to the key."""
        signed = proof(self._place.key, "POST", f"{self._base_url}/oauth2/token")
        form = {"grant_type": "client_credentials", "scope": "read"}
        answer = await self._post(http, "es256", "/oauth2/token", form, DPoP=signed)
        _expect(answer, 200, "token_type", "DPoP")

    async def assertion_token(self, http: Http, number: int) -> None:
        client = self._place.clients["assertion"].application.client_id
        form = {
            "grant_type": "client_credentials", "scope": "read", "client_assertion_type": JWT_BEARER_ASSERTION,
            "client_assertion": assertion(self._place.key, client, f"{self._base_url}/oauth2/token"),
        }  # fmt: skip
        _expect(await http.request("POST", "/oauth2/token", form), 200, "token_type", "Bearer")

    async def pushed_authorization(self, http: Http, number: int) -> None:
        """A pushed request, and its authorization for somebody who is signed in: a code."""
        if number not in self._cookies:
            self._cookies[number] = await self._session()
        client = self._place.clients["web"].application.client_id
        form = {"response_type": "code", "redirect_uri": CALLBACK, "scope": "openid profile email", "state": "s"}
        http.cookies = {}
        answer = await self._post(http, "web", "/oauth2/par", form)
        request_uri = json.loads(answer.body).get("request_uri")
        _expect(answer, 201)
        http.cookies = dict(self._cookies[number])
        query = urlencode({"client_id": client, "request_uri": request_uri})
        answer = await http.request("GET", f"/oauth2/authorize?{query}")
        if answer.status != 303 or "code=" not in answer.location:
            raise Surprise(repr(answer)[:400])

    async def device_poll(self, http: Http, number: int) -> None:
        codes = self._place.device_codes
        form = {"grant_type": DEVICE_CODE, "device_code": codes[next(self._turn) % len(codes)]}
        answer = await self._post(http, "device", "/oauth2/token", form)
        _expect(answer, 400, "error", "authorization_pending")

    async def registration(self, http: Http, number: int) -> None:
        document = {"client_name": "Bench", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
        path = "/api/identity/oauth2/dcr/v1.1/register"
        headers = {"Authorization": f"Bearer {self._place.initial_token}"}
        request = request_bytes(self._base_url, "POST", path, headers, json=json.dumps(document).encode())
        _expect(await http.send(request), 201)

    async def _session(self) -> dict[str, str]:
        """The cookies of a browser in which somebody has signed in."""
        async with Http(self._base_url) as http:
            await full_login(http, self._base_url, self._place.clients["web"], redeem=False)
            return dict(http.cookies)

    async def _post(self, http: Http, client: str, path: str, form: Mapping[str, str], **headers: str) -> Answer:
        headers["Authorization"] = self._place.clients[client].basic
        return await http.request("POST", path, form, **headers)


def _expect(answer: Answer, status: int, member: str = "", value: str = "") -> None:
    if answer.status != status or (member and json.loads(answer.body).get(member) != value):
        raise Surprise(repr(answer)[:400])
