"""Tests of a script, kept in a file beside it: logins, and what has to come of each."""

import time
from dataclasses import dataclass
from typing import Any

from adaptive_auth.given import Given, GivenError, read_given
from adaptive_auth.replay import Engine
from adaptive_auth.script import Script
from adaptive_auth.simulator import Simulation, simulate

MAXIMUM_CASES = 50
MAXIMUM_SECONDS = 2.0
"""When a script is saved."""

_EXPECTED = ("verdict", "steps", "effects", "log", "error")


@dataclass(frozen=True, slots=True)
class Case:
    """`expect`: `verdict`; `steps`, the number of each attempt; `effects`, kinds or objects whose members must agree;
    `log`, texts that must occur; `error`, a part of its message. What is not named is not compared."""

    name: str
    given: Given
    expect: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """`differences`: what was expected and what came, one line each; none means it passed."""

    name: str
    differences: tuple[str, ...]
    simulation: Simulation | None = None

    @property
    def passed(self) -> bool:
        return not self.differences


def read_cases(content: Any) -> tuple[Case, ...]:
    """From parsed JSON: a list of `{"name", "given", "expect"}`. Raises GivenError."""
    if not isinstance(content, list) or not content:
        raise GivenError("tests: must be a list of cases")
    if len(content) > MAXIMUM_CASES:
        raise GivenError(f"tests: {len(content)} cases; {MAXIMUM_CASES} at most")
    return tuple(_case(number, item) for number, item in enumerate(content, 1))


def run_tests(
    engine: Engine, script: Script, cases: tuple[Case, ...], *, seconds: float | None = None
) -> tuple[CaseResult, ...]:
    """A result for each case. With `seconds`, cases for which no time is left count as failed."""
    end = None if seconds is None else time.monotonic() + seconds
    results = []
    for case in cases:
        if end is not None and time.monotonic() > end:
            results.append(CaseResult(case.name, (f"not run: {seconds} s for all tests were over",)))
            continue
        simulation = simulate(engine, script, case.given)
        results.append(CaseResult(case.name, tuple(_differences(case.expect, simulation)), simulation))
    return tuple(results)


def _case(number: int, content: Any) -> Case:
    if not isinstance(content, dict) or not content.keys() <= {"name", "given", "expect"}:
        raise GivenError(f"case {number}: must be an object of name, given and expect")
    name, expect = content.get("name", f"case {number}"), content.get("expect")
    if not isinstance(name, str):
        raise GivenError(f"case {number}: its name must be a text")
    if not isinstance(expect, dict) or not expect:
        raise GivenError(f"{name}: expect must say what has to come of it")
    unknown = sorted(expect.keys() - set(_EXPECTED))
    if unknown:
        raise GivenError(f"{name}: expect has no member {unknown[0]!r}; there are {', '.join(_EXPECTED)}")
    for member in ("steps", "effects", "log"):
        if not isinstance(expect.get(member, []), list):
            raise GivenError(f"{name}: expect.{member} must be a list")
    try:
        return Case(name, read_given(content.get("given", {})), expect)
    except GivenError as problem:
        raise GivenError(f"{name}: {problem}") from None


def _differences(expect: dict[str, Any], simulation: Simulation) -> list[str]:
    actual: dict[str, Any] = simulation.to_json()
    message = (actual["error"] or {}).get("message")
    differences = [
        f"{member}: expected {expect[member]!r}, was {actual[member]!r}"
        for member in ("verdict", "steps")
        if member in expect and expect[member] != actual[member]
    ]
    if "effects" in expect and not _effects_agree(expect["effects"], actual["effects"]):
        kinds = [effect["kind"] for effect in actual["effects"]]
        shown = kinds if all(isinstance(effect, str) for effect in expect["effects"]) else actual["effects"]
        differences.append(f"effects: expected {expect['effects']!r}, was {shown!r}")
    for text in expect.get("log", []):
        if not any(str(text) in line for line in actual["log"]):
            differences.append(f"log: no line with {text!r} in {actual['log']!r}")
    if "error" in expect and not _error_agrees(expect["error"], message):
        differences.append(f"error: expected {expect['error']!r}, was {message!r}")
    if differences and message and "error" not in expect:
        differences.append(f"error: {message}")
    return differences


def _effects_agree(expected: list[Any], actual: list[dict[str, Any]]) -> bool:
    return len(expected) == len(actual) and all(
        effect["kind"] == wanted
        if isinstance(wanted, str)
        else isinstance(wanted, dict) and wanted.items() <= effect.items()
        for wanted, effect in zip(expected, actual, strict=True)
    )


def _error_agrees(expected: Any, message: str | None) -> bool:
    if expected is None:
        return message is None
    if isinstance(expected, dict):
        expected = expected.get("message", "")
    return message is not None and str(expected) in message
