"""Logs: one line of JSON per record on stderr, rendered by structlog, whoever wrote it (ours, uvicorn's, a library's).

structlog is imported with the first record that passes the level, since a start should not wait for it.
"""

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, TextIO

from identity.secrets import Secret
from identity.telemetry.masking import MASK, masked_field, neutral, neutral_lines

if TYPE_CHECKING:
    from identity.config import Settings

_Processor = Callable[[Any, str, MutableMapping[str, Any]], Any]

# At info these write parameters, addresses with codes in them, or a line per connection.
_NOISY = ("asyncio", "httpcore", "httpx", "ldap3", "sqlalchemy", "urllib3", "opentelemetry", "uvicorn")


class Log:
    """Our own logger: an event in words, and fields. `log.warning("store does not answer", store=name)`.

    `trace_id=` joins a line to an error page or event; `exc_info=error` adds its traceback, without local variables.
    Fields named like a secret are masked.
    """

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **fields: Any) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._write(logging.ERROR, event, fields)

    def _write(self, level: int, event: str, fields: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            # The event is an argument, not the format: a % in it means nothing.
            self._logger.log(level, "%s", event, exc_info=fields.pop("exc_info", None), extra={"fields": fields})


def get_logger(name: str) -> Log:
    """`name` is the module's, `identity.…`."""
    return Log(name)


def configure_logging(settings: "Settings", stream: TextIO | None = None) -> None:
    """Sends every record of the process to `stream` (stderr), in every worker process anew.

    uvicorn must be given `log_config=None, access_log=False`: its access lines carry query strings, hence codes.
    """
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(_Formatter(as_json=settings.log_json))
    root = logging.getLogger()
    for previous in root.handlers[:]:
        if isinstance(previous.formatter, _Formatter):
            root.removeHandler(previous)
    root.addHandler(handler)
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def warm_up() -> None:
    """Imports structlog now (0.1 s): for a thread, once the server answers, so that no request waits for it."""
    _import_structlog()


class _Formatter(logging.Formatter):
    """Any record to one line, through structlog's processors."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json
        self._processors: tuple[_Processor, ...] = ()

    def format(self, record: logging.LogRecord) -> str:
        if not self._processors:
            self._processors = _processors(self._as_json)
        line: Any = {
            "event": _message(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["exc_info"] = record.exc_info
        for processor in self._processors:
            line = processor(None, record.levelname.lower(), line)
        return str(line)


def _message(record: logging.LogRecord) -> str:
    """The text of a record; a Secret among its arguments shows as its mask."""
    args = record.args
    if isinstance(args, tuple):
        record.args = tuple(MASK if isinstance(item, Secret) else item for item in args)
    elif isinstance(args, dict):
        record.args = {name: MASK if isinstance(item, Secret) else item for name, item in args.items()}
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return str(record.msg)


def _import_structlog() -> None:
    """structlog imports rich for tracebacks it may print in colour. We never do: that is 0.15 s and 10 MB less.

    None in `sys.modules` makes an import fail (Python reference §5.3.1); structlog then does without.
    """
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]


def _processors(as_json: bool) -> tuple[_Processor, ...]:
    _import_structlog()
    import structlog

    renderer: _Processor
    if as_json:
        renderer = structlog.processors.JSONRenderer(sort_keys=False, default=repr)
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    return (
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _masking,
        renderer,
    )


def _masking(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {
        neutral(name): neutral_lines(value) if name == "exception" else masked_field(name, value)
        for name, value in line.items()
    }
