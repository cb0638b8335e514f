"""HTTP calls of scripts: made by the server through the guarded client, to the hosts that the tenant has listed.

The intent is committed before the call and the answer after it, under one idempotency key. After a crash in between a
GET is sent again; a POST may have been taken already, so its handler hears of a time-out instead. Whoever loads the
page while a call is under way waits for its end: a reload must not make a time-out of an answer. Secrets are put in
here, in headers and authentication only, and only for the hosts that each is meant for.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import msgspec

from adaptive_auth.evaluation import Operation
from adaptive_auth.shapes import SECRET
from identity.authn.login_course import Course
from identity.authn.login_record import Answer, LoginRecord
from identity.authn.sign_in_scripts import SignInScripts
from identity.authn.typed_secrets import told_without_secrets
from identity.clock import SECOND
from identity.config import Purpose
from identity.errors import ConfigurationError
from identity.messaging.guarded_client import Allowance, GuardedClient, OutboundFailed, OutboundRefused
from identity.messaging.targets import BadAddress, read_target
from identity.storage.configuration import TenantConfiguration
from identity.telemetry import Log

MAXIMUM_ANSWER = 256 * 1024
MAXIMUM_DEPTH = 64
TIMEOUT_SECONDS = 5.0
FORM = "application/x-www-form-urlencoded"
_FORBIDDEN = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "trailer", "upgrade", "keep-alive",
     "proxy-authorization", "proxy-connection", "idempotency-key"}
)  # fmt: skip
"""Headers that are the connection's business, or ours."""

LONGEST_SECONDS = 2 * TIMEOUT_SECONDS + 2
"""A call with its access token, and some; whoever had begun it is gone after that."""

Save = Callable[[Course], Awaitable[None]]


class _Refused(Exception):
    """The call is not made; the text is for administrators."""


class ScriptHttp:
    def __init__(self, client: GuardedClient, scripts: SignInScripts, log: Log) -> None:
        self._client = client
        self._scripts = scripts
        self._log = log

    async def call(self, course: Course, operations: tuple[Operation, ...], save: Save) -> None:
        """Make the calls, all at once, and add their answers to the journal in the order in which they were asked."""
        state = course.record.script
        assert state is not None
        place = len(state.journal)
        interrupted = state.http_begun == place
        if not interrupted:
            course.change(script=replace(state, http_begun=place, http_begun_at=course.now))
            await save(course)
        answers = await asyncio.gather(
            *(
                self._answer(course, operation.arguments, f"{course.row.id}/j{place + number}", interrupted)
                for number, operation in enumerate(operations)
            )
        )
        state = course.record.script
        assert state is not None
        at = course.now // 1000
        entries = [
            Answer(key=operation.key, value=value, at=at) for operation, value in zip(operations, answers, strict=True)
        ]
        course.change(script=replace(state, journal=(*state.journal, *entries), http_begun=-1))

    async def _answer(self, course: Course, asked: dict[str, Any], key: str, interrupted: bool) -> dict[str, Any]:
        """`{ok, timeout, status, data}`; never raises."""
        if interrupted and asked["method"] != "GET":
            return _outcome(timeout=True)
        tenant = course.request.tenant
        try:
            headers, body = await self._request(tenant, asked)
            answer = await self._client.fetch(
                asked["url"],
                purpose=Purpose.SCRIPT,
                method=asked["method"],
                headers=[*headers.items(), ("idempotency-key", key)],
                body=body,
                limit=MAXIMUM_ANSWER,
                timeout=TIMEOUT_SECONDS,
            )
        except (_Refused, OutboundRefused) as refused:
            said = refused.detail if isinstance(refused, OutboundRefused) else str(refused)
            reason = told_without_secrets(course.record.script, said)
            self._log.warning("HTTP call of a script refused", reason=reason, trace_id=course.request.trace_id)
            return _outcome()
        except OutboundFailed as failed:
            return _outcome(timeout="no answer within" in failed.detail)
        return _outcome(status=answer.status, data=_data(answer.headers, answer.body))

    async def _request(self, tenant: TenantConfiguration, asked: dict[str, Any]) -> tuple[dict[str, str], bytes]:
        """Headers and body of a call. Raises _Refused."""
        host = self._host(tenant, asked["url"])
        headers = {str(name).lower(): str(value) for name, value in asked["headers"].items()}
        if not _FORBIDDEN.isdisjoint(headers):
            raise _Refused("a header that a script may not set")
        authorization = headers.get("authorization")
        if authorization is not None and not SECRET.search(authorization):
            raise _Refused("Authorization is for secrets: use secrets.<name> or authConfig")
        headers |= await self._authorization(tenant, asked["auth"])
        headers = {name: await self._with_secrets(tenant, host, value) for name, value in headers.items()}
        headers.setdefault("accept", "application/json, text/plain")
        if asked["method"] == "GET":
            return headers, b""
        if headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
            body = asked["body"] if isinstance(asked["body"], dict) else {}
            return headers, urlencode({str(name): str(value) for name, value in body.items()}).encode()
        headers.setdefault("content-type", "application/json")
        return headers, json.dumps(asked["body"]).encode()

    def _host(self, tenant: TenantConfiguration, url: str) -> str:
        """The host that is called; the tenant must have listed it, exactly or by `*.`."""
        try:
            target = read_target(url)
            if not Allowance(tenant.settings.script_hosts).names(target):
                raise _Refused(f"{target.host} is not among the hosts that scripts may call (script_hosts)")
        except (BadAddress, ConfigurationError) as error:
            raise _Refused(str(error)) from None
        return target.host

    async def _authorization(self, tenant: TenantConfiguration, auth: Any) -> dict[str, str]:
        """`authConfig`: `{type, properties}` in either spelling of WSO2."""
        if not isinstance(auth, dict):
            return {}
        kind = str(auth.get("type", "")).lower().removesuffix("auth").removesuffix("token")
        given = auth.get("properties")
        values = {str(name): str(value) for name, value in given.items()} if isinstance(given, dict) else {}
        match kind:
            case "basic":
                # Joined after the secrets are in; see _with_secrets.
                return {"authorization": f"Basic {values.get('username', '')}:{values.get('password', '')}"}
            case "bearer":
                return {"authorization": f"Bearer {values.get('token', '')}"}
            case "apikey":
                name = values.get("headerName", "").lower()
                if not name or name in _FORBIDDEN:
                    raise _Refused("authConfig apikey: headerName is missing or not allowed")
                return {name: values.get("value", "")}
            case "clientcredential":
                return {"authorization": f"Bearer {await self._token(tenant, values)}"}
        raise _Refused(f"authConfig of no known type: {kind!r}")

    async def _token(self, tenant: TenantConfiguration, values: Mapping[str, str]) -> str:
        """An access token by client credentials (RFC 6749 §4.4)."""
        endpoint = values.get("tokenEndpoint", "")
        host = self._host(tenant, endpoint)
        identifier, secret, scope = [
            await self._with_secrets(tenant, host, values.get(name, ""))
            for name in ("consumerKey", "consumerSecret", "scope")
        ]
        credentials = base64.b64encode(f"{identifier}:{secret}".encode()).decode()
        answer = await self._client.fetch(
            endpoint,
            purpose=Purpose.SCRIPT,
            method="POST",
            headers=[("authorization", f"Basic {credentials}"), ("content-type", FORM), ("accept", "application/json")],
            body=urlencode({"grant_type": "client_credentials", **({"scope": scope} if scope else {})}).encode(),
            timeout=TIMEOUT_SECONDS,
        )
        data = _data(answer.headers, answer.body)
        token = data.get("access_token") if isinstance(data, dict) else None
        if answer.status != 200 or not isinstance(token, str):
            raise _Refused(f"{host} gave no access token (HTTP {answer.status})")
        return token

    async def _with_secrets(self, tenant: TenantConfiguration, host: str, text: str) -> str:
        """The text with the secrets put in. Raises _Refused for one that is unknown or not meant for this host."""
        values: dict[str, str] = {}
        for name in SECRET.findall(text):
            found = await self._scripts.secret(tenant, name)
            if found is None:
                raise _Refused(f"there is no secret {name}")
            secret, value = found
            if not Allowance(secret.hosts).names(read_target(f"https://{host}")):
                raise _Refused(f"the secret {name} is not meant for {host}")
            values[name] = value
        text = SECRET.sub(lambda match: values[match[1]], text)
        if text.startswith("Basic ") and ":" in text:
            text = "Basic " + base64.b64encode(text.removeprefix("Basic ").encode()).decode()
        if any(ord(character) < 32 or ord(character) == 127 for character in text):
            raise _Refused("a header with a control character")
        return text


def calls_under_way(record: LoginRecord, now: int) -> bool:
    """Whether somebody has begun a call of this login and may still be waiting for its answer."""
    state = record.script
    return state is not None and state.http_begun >= 0 and now < state.http_begun_at + int(LONGEST_SECONDS * SECOND)


def _outcome(*, status: int = 0, timeout: bool = False, data: Any = None) -> dict[str, Any]:
    return {"ok": 200 <= status < 300, "timeout": timeout, "status": status, "data": data}


def _data(headers: Mapping[str, str], body: bytes) -> Any:
    """JSON, or `{response: text}` for plain text; nothing of anything else."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/json" or kind.endswith("+json"):
            return _shallow(msgspec.json.decode(body)) if body else None
        return {"response": body.decode()} if kind.startswith("text/plain") else None
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _shallow(value: Any) -> Any:
    """What is nested deeper than anything sensible could not be kept. Raises ValueError."""
    layer = [value]
    for _ in range(MAXIMUM_DEPTH):
        layer = [
            member for each in layer if isinstance(each, dict | list)
            for member in (each.values() if isinstance(each, dict) else each)
        ]  # fmt: skip
    if layer:
        raise ValueError("nested too deeply")
    return value
