"""Recorded calls of a neighbouring product, replayed against a fresh tenant.

A recording is JSON: what has to be there (`given`), then the calls in their order. `{name}` stands for a value: of
what is given (`{dashboard.client_id}`), or kept from an earlier answer (`keep`: name to path, like `Resources.0.id`).

An expected answer is a shape: `<string>`, `<integer>`, `<boolean>`, `<uuid>`, `<array>`, `<absent>` stand for values,
everything else for itself; objects may have more members; `[shape]` is an array whose members all have that shape.
"""

import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet

from identity.domain.tenants import TenantSettings
from tests.support.builders import PASSWORD, Person, Pkce, Site, response_parameters
from tests.support.key_manager import administrator, notified
from tests.support.receiver import Receiver

FOLDER = Path(__file__).parents[1] / "gateway" / "recordings"
_PLACEHOLDER = re.compile(r"\{([a-z_0-9.]+)\}")
_KINDS: dict[str, type] = {"<string>": str, "<integer>": int, "<boolean>": bool, "<array>": list, "<object>": dict}


def recordings() -> list[str]:
    return sorted(file.stem for file in FOLDER.glob("*.json"))


@dataclass
class Replay:
    site: Site
    receiver: Receiver
    values: dict[str, Any]
    people: dict[str, Person]

    def run(self, recording: dict[str, Any]) -> None:
        self._prepare(recording.get("given", {}))
        for number, call in enumerate(recording["calls"], 1):
            title = f"{number}. {call['title']}"
            answer = self._perform(call, title)
            for name, path in call.get("keep", {}).items():
                self.values[name] = _at(answer, path)

    def _prepare(self, given: dict[str, Any]) -> None:
        site = self.site
        if "settings" in given:
            changed = TenantSettings(**given["settings"], pairwise_salt=site.tenant.settings.pairwise_salt)
            site.change_settings(lambda _: changed)
        if "notify" in given:
            notified(site, self.receiver.url(given["notify"]), username="am", password="am-password")
        self.values |= {"issuer": site.issuer, "base": site.base, "password": PASSWORD}
        if "administrator" in given:
            self.people[given["administrator"]] = administrator(site, given["administrator"])
        for name, attributes in given.get("people", {}).items():
            groups = tuple(attributes.pop("groups", ()))
            self.people[name] = site.person(name, groups=groups, **attributes)
        for name, settings in given.get("applications", {}).items():
            client = site.application(name, **({"redirect_uris": ()} | settings))
            self.values |= {f"{name}.client_id": client.client_id, f"{name}.client_secret": client.secret}

    def _perform(self, call: dict[str, Any], title: str) -> Any:
        if "sign_in" in call:
            return self._sign_in(call, title)
        if "received" in call:
            return self._received(call, title)
        if "validate" in call:
            return self._validate(call, title)
        response = self._send(call)
        expected = call["expect"]
        assert response.status_code == expected["status"], f"{title}: {response.status_code} {response.text}"
        for name, shape in expected.get("headers", {}).items():
            matches(self._filled(shape), response.headers.get(name), f"{title}: header {name}")
        answer = response.json() if response.content else None
        if "json" in expected:
            matches(self._filled(expected["json"]), answer, title)
        if expected.get("empty"):
            assert response.content == b"", f"{title}: {response.text}"
        return answer

    def _send(self, call: dict[str, Any]) -> httpx.Response:
        headers = {name: self._text(value) for name, value in call.get("headers", {}).items()}
        auth: Any = httpx.USE_CLIENT_DEFAULT
        if "basic" in call:
            name = call["basic"]
            person = self.people.get(name)
            client = (self.values.get(f"{name}.client_id"), self.values.get(f"{name}.client_secret"))
            auth = (person.username, person.password) if person is not None else client
        body: dict[str, Any] = {}
        if "json" in call:
            body["content"] = json.dumps(self._filled(call["json"]))
            headers.setdefault("Content-Type", "application/json")
        elif "body" in call:
            body["content"] = self._text(call["body"])
        return self.site.http.request(call["method"], self._text(call["path"]), headers=headers, auth=auth, **body)

    def _sign_in(self, call: dict[str, Any], title: str) -> Any:
        """A browser goes through the authorization request and the login page."""
        pkce = Pkce()
        self.values |= {"code_challenge": pkce.challenge, "code_verifier": pkce.verifier}
        query = {name: self._text(value) for name, value in call["query"].items()}
        page = self.site.browser().get(f"{self.site.base}/oauth2/authorize?{httpx.QueryParams(query)}")
        person = self.people[call["sign_in"]]
        page = page.submit("login-submit", username=person.username, password=person.password)
        if page.has("consent-allow"):
            page = page.submit("consent-allow")
        answer = response_parameters(page)
        matches(self._filled(call["expect"]["json"]), answer, title)
        return answer

    def _received(self, call: dict[str, Any], title: str) -> Any:
        """What we have sent to the neighbour."""
        received = self.receiver.wait_for(call["received"], call.get("count", 1))[-1]
        for name, shape in call["expect"].get("headers", {}).items():
            matches(self._filled(shape), received.headers.get(name), f"{title}: header {name}")
        matches(self._filled(call["expect"]["json"]), received.json(), title)
        return received.json()

    def _validate(self, call: dict[str, Any], title: str) -> Any:
        """The neighbour verifies a JWT by our keys, with the algorithms it knows."""
        keys = self.site.http.get("/oauth2/jwks").json()
        for key in keys["keys"]:
            assert key["kid"], title
        token = jwt.decode(self._text(call["validate"]), KeySet.import_key_set(keys), algorithms=call["algorithms"])
        assert token.header["kid"], title
        matches(self._filled(call["expect"].get("header", {})), token.header, title)
        matches(self._filled(call["expect"]["json"]), token.claims, title)
        return token.claims

    def _filled(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        if isinstance(value, dict):
            return {self._text(name): self._filled(each) for name, each in value.items()}
        return value

    def _text(self, text: str) -> str:
        return _PLACEHOLDER.sub(lambda match: str(self.values[match[1]]), text)


def matches(shape: Any, value: Any, place: str) -> None:
    """Raises AssertionError that says where the answer has another shape."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), f"{place}: {value!r} is no object"
        for name, inside in shape.items():
            if inside == "<absent>":
                assert name not in value, f"{place}.{name} is there: {value[name]!r}"
            else:
                assert name in value, f"{place}.{name} is missing in {value!r}"
                matches(inside, value[name], f"{place}.{name}")
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{place}: {value!r} is no array"
        if len(shape) == 1:
            assert value, f"{place} is empty"
            for number, each in enumerate(value):
                matches(shape[0], each, f"{place}[{number}]")
        else:
            assert value == shape, f"{place}: {value!r}"
    elif shape == "<uuid>":
        uuid.UUID(value)
    elif isinstance(shape, str) and shape in _KINDS:
        # Exactly: a flag is no integer to a typed language, and null is nothing at all.
        assert type(value) is _KINDS[shape], f"{place}: {value!r} is not {shape}"
    else:
        assert value == shape, f"{place}: {value!r} instead of {shape!r}"


def _at(answer: Any, path: str) -> Any:
    for step in path.split("."):
        answer = answer[int(step)] if isinstance(answer, list) else answer[step]
    return answer
