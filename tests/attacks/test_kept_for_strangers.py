"""Attack row 32: what strangers send is not kept, or only in small measure."""

import base64
import json
from dataclasses import replace
from types import TracebackType
from typing import Any

import pytest

from identity.messaging.guarded_client import Answer
from identity.oauth2.clients.client_authentication import CACHED_HEADER
from identity.tokens.dpop import MAXIMUM_HTU, normalised
from tests.oauth2.dpop_client import ask, outcome, seconds, token_uri
from tests.support.in_process import TimedSite
from tests.support.key_holder import KeyHolder


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def test_long_credentials_are_not_remembered(timed: TimedSite) -> None:
    kept = timed._timed.server.parts.clients._headers
    before = set(kept)
    form = {"grant_type": "client_credentials"}
    for secret in ("x" * 100, "x" * 20_000):
        assert timed.http.post("/oauth2/token", data=form, headers=basic("nobody", secret)).status_code == 401
    new = kept.keys() - before
    assert [len(header) < CACHED_HEADER for header in new] == [True]


@pytest.mark.spec("RFC 9449", "4.3")
def test_a_long_htu_is_not_remembered(timed: TimedSite) -> None:
    key, client = KeyHolder(), timed.public_application()
    for letters in (MAXIMUM_HTU, 6000):
        htu = token_uri(timed) + "#" + "x" * (letters - len(token_uri(timed)) - 1)
        before = normalised.cache_info().misses
        proof = key.proof("POST", htu, iat=seconds(timed.clock))
        answer = ask(
            timed, client, proof, grant_type="authorization_code", code="ac_x", redirect_uri="https://x.example"
        )
        assert outcome(answer) == ((400, "invalid_grant") if letters == MAXIMUM_HTU else (400, "invalid_dpop_proof"))
        assert (normalised.cache_info().misses > before) == (letters == MAXIMUM_HTU)


def test_a_remembered_failure_keeps_no_requests(timed: TimedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a document that cannot be used the error is kept: raised again, it must not gather the stacks of everybody."""
    timed.change_settings(lambda settings: replace(settings, client_id_metadata_documents=True))
    client_id = "https://agent.example/broken.json"

    async def fetch(url: str, **_: Any) -> Answer:
        return Answer(200, {"content-type": "application/json"}, json.dumps({"client_id": "another"}).encode())

    monkeypatch.setattr(timed._timed.server.parts.outbound, "fetch", fetch)
    documents = timed._timed.server.parts.documents
    parameters = {"client_id": client_id, "response_type": "code"}

    def kept_frames() -> int:
        assert timed.http.get("/oauth2/authorize", params=parameters).status_code == 400
        _, failure = documents._failures[timed.tenant.id, client_id]
        frames, at = 0, failure.__traceback__
        while isinstance(at, TracebackType):
            frames, at = frames + 1, at.tb_next
        return frames

    kept_frames()
    first = kept_frames()
    for _ in range(5):
        assert kept_frames() == first
