"""Every neighbour's calls, as it makes them, against a fresh tenant (wso2-contracts §7)."""

import json
from typing import Any

import pytest

from tests.support.builders import Site
from tests.support.receiver import Receiver
from tests.support.recordings import FOLDER, Replay, matches, recordings


@pytest.mark.parametrize("name", recordings())
def test_replayed(site: Site, receiver: Receiver, name: str) -> None:
    recording = json.loads((FOLDER / f"{name}.json").read_text())
    assert recording["neighbour"]
    Replay(site, receiver, {}, {}).run(recording)


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ({"a": "<string>"}, {}),
        ({"a": "<string>"}, {"a": None}),
        ({"a": "<integer>"}, {"a": True}),
        ({"a": "<integer>"}, {"a": "1"}),
        ({"a": "<absent>"}, {"a": 1}),
        ({"a": ["<string>"]}, {"a": []}),
        ({"a": ["<string>"]}, {"a": "x"}),
        ({"a": {"b": 1}}, {"a": [1]}),
        ("<uuid>", "x"),
        ([1, 2], [2, 1]),
        ("x", "y"),
    ],
)
def test_a_shape_can_fail(shape: Any, value: Any) -> None:
    with pytest.raises((AssertionError, ValueError)):
        matches(shape, value, "answer")
