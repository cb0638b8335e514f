"""Attack row 32: what strangers write cannot forge a log line, drive a terminal or show a secret."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.config import Settings
from identity.secrets import Secret
from identity.telemetry import configure_logging, get_logger
from identity.telemetry.masking import MASK, masked_field, neutral

HOSTILE = 'x\r\n{"event": "forged", "level": "info"}\n\x1b[2J\x1b]0;title\x07\u202egnp.exe\u2028next\x9b31m\0'


class Lines:
    """What was logged since the start of the test."""

    def __init__(self, *, log_json: bool) -> None:
        self.stream = io.StringIO()
        configure_logging(Settings(log_json=log_json, log_level="debug"), self.stream)

    @property
    def handler(self) -> logging.Handler:
        return next(found for found in logging.getLogger().handlers if getattr(found, "stream", None) is self.stream)

    def text(self) -> str:
        return self.stream.getvalue()

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def restored() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    yield
    for handler in root.handlers[:]:
        if type(handler.formatter).__module__ == configure_logging.__module__:
            root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def lines(restored: None) -> Lines:
    return Lines(log_json=True)


@pytest.fixture
def console(restored: None) -> Lines:
    return Lines(log_json=False)


def test_a_line_is_json(lines: Lines) -> None:
    get_logger("identity.test").warning("store does not answer", store="people", seconds=1.5, trace_id="ab" * 16)
    (line,) = lines.all()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "store does not answer", "level": "warning", "logger": "identity.test", "store": "people",
        "seconds": 1.5, "trace_id": "ab" * 16,
    }  # fmt: skip


@pytest.mark.parametrize("place", ["event", "value", "name", "nested", "argument"])
def test_hostile_text_stays_on_its_line(lines: Lines, place: str) -> None:
    log = get_logger("identity.test")
    if place == "event":
        log.info(HOSTILE)
    elif place == "value":
        log.info("seen", user_agent=HOSTILE)
    elif place == "name":
        log.info("seen", **{HOSTILE: "x"})
    elif place == "nested":
        log.info("seen", data={"a": [HOSTILE, {HOSTILE: HOSTILE}]})
    else:
        logging.getLogger("library").info("seen %s", HOSTILE)
    (line,) = lines.all()
    assert "\\x1b[2J" in json.dumps(line).replace("\\\\", "\\")
    assert lines.text().strip().isprintable()


@pytest.mark.parametrize("as_error", [False, True])
def test_hostile_text_stays_on_its_line_in_a_terminal(console: Lines, as_error: bool) -> None:
    if as_error:
        get_logger("identity.test").error("failed", exc_info=ValueError(HOSTILE + "\n2026-01-01 [info] forged"))
    else:
        get_logger("identity.test").info("seen", user_agent=HOSTILE)
    first, *rest = console.text().rstrip("\n").split("\n")
    assert all(line.startswith("  | ") for line in rest)
    assert all(line.isprintable() for line in (first, *rest))


def test_an_exception_keeps_its_stack_and_no_variables(lines: Lines) -> None:
    def fail(password: str) -> None:
        raise ValueError("wrong")

    password = "hunter2" * 2
    try:
        fail(password)
    except ValueError as error:
        get_logger("identity.test").error("request failed", exc_info=error)
    (line,) = lines.all()
    assert "in fail" in line["exception"]
    assert "ValueError: wrong" in line["exception"]
    assert "hunter2hunter2" not in lines.text()


SECRETS = {
    "password": "s3cr3t-value", "Client-Secret": "s3cr3t-value", "access_token": "s3cr3t-value", "code": "s3cr3t-value",
    "authorization": "Basic s3cr3t-value", "set-cookie": "a=s3cr3t-value", "client_assertion": "s3cr3t-value",
    "code_verifier": "s3cr3t-value", "old_password": "s3cr3t-value", "database_url": "s3cr3t-value",
    "data": {"form": [{"refresh_token": "s3cr3t-value"}]}, "token": ["s3cr3t-value"], "any": Secret("s3cr3t-value"),
    "deep": [Secret("s3cr3t-value")],
}  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_masked_by_its_name_or_type(lines: Lines, name: str) -> None:
    get_logger("identity.test").info("seen", **{name: SECRETS[name]})
    assert "s3cr3t-value" not in lines.text()
    assert MASK in lines.text()


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer s3cr3t-value",
        "GET /cb?code=s3cr3t-value&state=1",
        "refresh_token=s3cr3t-value",
        "client_secret=s3cr3t-value&x=1",
        "postgresql://identity:s3cr3t-value@db/identity",
    ],
)
def test_a_secret_in_a_text_is_masked(lines: Lines, text: str) -> None:
    logging.getLogger("library").warning("saw %s", text)
    get_logger("identity.test").error("failed", exc_info=RuntimeError(text))
    assert len(lines.all()) == 2
    assert "s3cr3t-value" not in lines.text()


def test_a_secret_among_arguments_is_masked(lines: Lines) -> None:
    logging.getLogger("library").warning("opened with %s", Secret("s3cr3t-value"))
    assert "s3cr3t-value" not in lines.text()


def test_what_is_no_secret_stays() -> None:
    assert masked_field("error_code", "invalid_grant") == "invalid_grant"
    assert masked_field("token", True) is True
    assert masked_field("token_type", "Bearer") == "Bearer"
    assert neutral("the authorization code was used twice") == "the authorization code was used twice"


def test_wrong_arguments_of_a_library_do_not_raise(lines: Lines) -> None:
    record = logging.makeLogRecord({"name": "library", "msg": "%d tries", "args": ("many",), "levelname": "WARNING"})
    lines.handler.handle(record)
    assert lines.all()[0]["event"] == "%d tries"


def test_a_line_is_not_endless(lines: Lines) -> None:
    get_logger("identity.test").info("seen", text="a" * 1_000_000)
    assert len(lines.text()) < 10_000


def test_levels(restored: None) -> None:
    stream = io.StringIO()
    configure_logging(Settings(log_level="warning"), stream)
    get_logger("identity.test").info("quiet")
    logging.getLogger("httpx").info("GET https://idp/cb?code=x")
    get_logger("identity.test").warning("loud")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_configuring_twice_does_not_double_the_lines(restored: None) -> None:
    configure_logging(Settings(), io.StringIO())
    stream = io.StringIO()
    configure_logging(Settings(), stream)
    get_logger("identity.test").info("once")
    assert stream.getvalue().count("once") == 1


@given(st.text())
def test_any_text_is_one_printable_line(text: str) -> None:
    cleaned = neutral(text)
    assert "\n" not in cleaned
    assert not any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in cleaned)
    cleaned.encode()
