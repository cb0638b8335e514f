"""Which requests are sampled, and what a span says."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from identity.telemetry import Tracing
from identity.telemetry.tracing import REQUESTED_PER_SECOND

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = [(b"traceparent", f"00-{TRACE}-b7ad6b7169203331-01".encode())]


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def never(spans: InMemorySpanExporter) -> Iterator[Tracing]:
    tracing = Tracing(None, 0.0, exporter=spans)
    yield tracing
    tracing.shutdown()


@pytest.fixture
def always(spans: InMemorySpanExporter) -> Iterator[Tracing]:
    tracing = Tracing(None, 1.0, exporter=spans)
    yield tracing
    tracing.shutdown()


def test_off_without_an_endpoint() -> None:
    tracing = Tracing(None, 1.0)
    assert tracing.start(SAMPLED, "token") is None
    with tracing.span("part"):
        pass
    tracing.shutdown()


def test_opentelemetry_is_not_imported_when_off() -> None:
    code = (
        "import sys; from identity.telemetry import Tracing, Metrics, get_logger; t = Tracing(None, 1.0);"
        "m = Metrics(); m.declare_routes(['x']); m.request('x', 200, 1);"
        "t.start([], 'x'); get_logger('x').debug('quiet');"
        "print([m for m in ('opentelemetry', 'structlog', 'prometheus_client', 'rich') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_sampled_caller_is_continued(never: Tracing, spans: InMemorySpanExporter) -> None:
    span = never.start(SAMPLED, "token")
    assert span is not None
    assert span.trace_id == TRACE
    with never.span("look up"):
        pass
    span.end(503)
    never.shutdown()
    inner, outer = spans.get_finished_spans()
    assert (inner.name, outer.name) == ("look up", "token")
    assert inner.parent is not None
    assert outer.context is not None
    assert inner.parent.span_id == outer.context.span_id
    assert outer.parent is not None
    assert outer.parent.span_id == 0xB7AD6B7169203331
    assert dict(outer.attributes or {}) == {"http.response.status_code": 503}
    assert not outer.status.is_ok


def test_nothing_is_left_behind_for_the_next_request(never: Tracing, spans: InMemorySpanExporter) -> None:
    span = never.start(SAMPLED, "token")
    assert span is not None
    span.end(200)
    assert never.start([], "token") is None
    with never.span("part"):
        pass
    never.shutdown()
    assert len(spans.get_finished_spans()) == 1


def test_a_caller_that_is_not_sampled_decides_too(always: Tracing) -> None:
    assert always.start([(b"traceparent", f"00-{TRACE}-b7ad6b7169203331-00".encode())], "token") is None


@pytest.mark.parametrize(
    "value",
    [
        b"", b"garbage", b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"ff-{TRACE}-b7ad6b7169203331-01".encode(), f"00-{TRACE.upper()}-b7ad6b7169203331-01".encode(),
        f"00-{TRACE}-b7ad6b7169203331-01-extra".encode(), b"\xff" * 55,
    ],
)  # fmt: skip
def test_a_malformed_traceparent_counts_as_none(never: Tracing, always: Tracing, value: bytes) -> None:
    assert never.start([(b"traceparent", value)], "token") is None
    span = always.start([(b"traceparent", value)], "token")
    assert span is not None
    assert span.trace_id != TRACE
    span.end(200)


def test_a_later_version_is_read(never: Tracing) -> None:
    span = never.start([(b"traceparent", f"01-{TRACE}-b7ad6b7169203331-01-more".encode())], "token")
    assert span is not None
    span.end(200)


def test_callers_cannot_ask_for_endless_spans(never: Tracing) -> None:
    started = 0
    for _ in range(10 * REQUESTED_PER_SECOND):
        span = never.start(SAMPLED, "token")
        if span is not None:
            started += 1
            span.end(200)
    assert REQUESTED_PER_SECOND <= started < 5 * REQUESTED_PER_SECOND
