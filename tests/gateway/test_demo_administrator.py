"""The demo administrator can do what an administrator does, and a second start changes nothing."""

import json

import httpx
import pytest

from tests.support.key_manager import ROLES
from tests.support.server import start_server


def test_the_demo_administrator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    data = tmp_path_factory.mktemp("demo")
    running = start_server("sqlite", request, data, demo="true")
    try:
        for _ in range(2):
            who = json.loads((data / "demo.json").read_text())["administrator"]
            url = running.base_url + ROLES
            answer = httpx.get(url, auth=(who["username"], who["password"]), trust_env=False)
            assert answer.status_code == 200, answer.text
            assert [role["displayName"] for role in answer.json()["Resources"]] == ["admin"]
            running.stop()
            running.start()
    finally:
        running.stop()
