"""Traces: OpenTelemetry spans, only with an endpoint and only for sampled requests.

Whether a request is sampled is decided before OpenTelemetry sees it, so that the others pay a glance at their headers.
"""

import random
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

# W3C Trace Context §3.2: version-traceid-parentid-flags; a later version may add fields behind.
_TRACEPARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_SAMPLED = 1

REQUESTED_PER_SECOND = 50
"""Spans a second that callers may ask for by the sampled flag; more of them are left to chance like everybody."""


class Span:
    """A sampled request. `trace_id` (32 hexadecimal digits) is the request's, for error pages and events."""

    __slots__ = ("_span", "_token", "trace_id")

    def __init__(self, span: Any, token: Any, trace_id: str) -> None:
        self._span = span
        self._token = token
        self.trace_id = trace_id

    def end(self, status: int) -> None:
        """With the HTTP status of the answer; once, in the task that started it."""
        from opentelemetry import context
        from opentelemetry.trace import StatusCode

        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()
        context.detach(self._token)


class Tracing:
    """`endpoint` is an OTLP/HTTP collector, `None` switches tracing off; `sample_ratio` is a share of all requests.

    `exporter` replaces the one for the endpoint.
    """

    def __init__(self, endpoint: str | None, sample_ratio: float, *, exporter: "SpanExporter | None" = None) -> None:
        self._ratio = sample_ratio
        self._second = 0
        self._requested = 0
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None
        if endpoint or exporter is not None:
            self._provider = _provider(endpoint or "", exporter)
            self._tracer = self._provider.get_tracer("identity")

    def start(self, headers: Sequence[tuple[bytes, bytes]], route: str) -> Span | None:
        """A span of the route's name when this request is sampled: by the caller's `traceparent`, else by chance."""
        if self._tracer is None:
            return None
        parent = None
        for name, value in headers:
            if name == b"traceparent":
                parent = _TRACEPARENT.fullmatch(value)
                if parent is not None and parent[1] == b"00" and len(value) != 55:
                    parent = None
                break
        if parent is None:
            return self._begin(route, None) if random.random() < self._ratio else None  # noqa: S311 - no secret
        if not int(parent[4], 16) & _SAMPLED:
            return None
        if not self._may_request() and random.random() >= self._ratio:  # noqa: S311
            return None
        return self._begin(route, (int(parent[2], 16), int(parent[3], 16)))

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """A part of a sampled request; nothing in any other."""
        if self._tracer is None:
            yield
            return
        from opentelemetry import trace

        if not trace.get_current_span().is_recording():
            yield
            return
        with self._tracer.start_as_current_span(name):
            yield

    def shutdown(self) -> None:
        """Sends what is left; blocks for up to some seconds."""
        if self._provider is not None:
            self._provider.shutdown()

    def _may_request(self) -> bool:
        """Anybody can set the flag, so it must not be a way to make us work."""
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._requested = 0
        self._requested += 1
        return self._requested <= REQUESTED_PER_SECOND

    def _begin(self, route: str, parent: tuple[int, int] | None) -> Span:
        from opentelemetry import context, trace

        assert self._tracer is not None
        around = context.Context()
        if parent is not None:
            remote = trace.SpanContext(*parent, is_remote=True, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED))
            around = trace.set_span_in_context(trace.NonRecordingSpan(remote), around)
        span = self._tracer.start_span(route, context=around, kind=trace.SpanKind.SERVER)
        token = context.attach(trace.set_span_in_context(span, around))
        return Span(span, token, trace.format_trace_id(span.get_span_context().trace_id))


def _provider(endpoint: str, exporter: "SpanExporter | None") -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    if exporter is None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        # OTLP §4.2: the default path of traces, when only a base address is given
        path = urlsplit(endpoint).path
        exporter = OTLPSpanExporter(endpoint=endpoint if path.strip("/") else endpoint.rstrip("/") + "/v1/traces")
    # The sampler's work is done before; shutdown is called by the application, not by atexit.
    provider = TracerProvider(
        sampler=ALWAYS_ON, resource=Resource({"service.name": "identity-server"}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
