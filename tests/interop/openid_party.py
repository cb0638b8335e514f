"""A relying party of a certification run at the tenant `op` of docs/test-installations.md."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.interop.installation import Installation
from tests.interop.runner import Answer, Runner

NONCE, STATE = "n-0S6_WzA2Mj", "af0ifjsldkj"


@pytest.fixture
def runner(installation: Installation) -> Iterator[Runner]:
    made = Runner(installation, "op")
    yield made
    made.close()


class Party:
    """A relying party of the run, registered on the page or by itself."""

    def __init__(self, runner: Runner, client_id: str, secret: str, callback: str = "") -> None:
        self.runner = runner
        self.client_id = client_id
        self.secret = secret
        self.callback = callback or f"{runner.installation.suite_origin}/test/a/op/callback"

    def ask(self, response_type: str, **parameters: str) -> Answer:
        """An authorization response, with the state that was sent."""
        asked = {
            "client_id": self.client_id, "response_type": response_type, "redirect_uri": self.callback,
            "scope": "openid", "state": STATE, "nonce": NONCE,
        }  # fmt: skip
        answer = self.runner.authorize(**(asked | parameters))
        assert answer["state"] == STATE
        return answer

    def redeem(self, code: str, *, in_body: bool = False) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.callback}
        if in_body:
            return self.runner.post("token", form | {"client_id": self.client_id, "client_secret": self.secret})
        return self.runner.post("token", form, auth=(self.client_id, self.secret))

    def tokens(self, code: str, **arguments: Any) -> Answer:
        response = self.redeem(code, **arguments)
        assert response.status_code == 200, response.text
        assert response.headers["cache-control"] == "no-store"
        answer: Answer = response.json()
        return answer


@pytest.fixture
def basic(runner: Runner) -> Party:
    return Party(runner, "basic", runner.installation.secrets["basic"])
