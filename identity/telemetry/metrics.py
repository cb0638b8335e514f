"""Metrics: counted in plain integers, told to Prometheus at `/metrics` by prometheus_client.

Label sets are closed: they are given at the start, and a value outside becomes `other` (attack row 32). Every method
that counts is called on the event loop only.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from identity.telemetry.cells import Cells, Place

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

OTHER = "other"
MAXIMUM_LABELS = 200
"""Of a watched number whose labels an administrator makes, such as user stores."""

_BOUNDS = tuple(int(ms * 1000) for ms in (0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000))
"""Upper bounds of the duration's buckets, microseconds; one more without a bound follows."""
_STATUS_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
_SUM = len(_STATUS_CLASSES)
_BUCKETS = _SUM + 1

Kind = Literal["counter", "gauge", "routes"]
Combine = Literal["sum", "max"]


@dataclass(frozen=True, slots=True)
class _Family:
    name: str
    description: str
    labels: tuple[str, ...]
    kind: Kind
    combine: Combine = "sum"


class RouteMetrics:
    """The requests of one route: status classes, total time, buckets, side by side."""

    __slots__ = ("_at", "_cells")

    def __init__(self, cells: memoryview, at: int) -> None:
        self._cells = cells
        self._at = at

    def observe(self, status: int, microseconds: int) -> None:
        """One answer: its status (100-599) and how long it took."""
        cells = self._cells
        at = self._at
        cells[at + status // 100 - 1] += 1
        if microseconds > 0:  # the clock may have been set back
            cells[at + _SUM] += microseconds
        cells[at + _BUCKETS + bisect_left(_BOUNDS, microseconds)] += 1


class _Counter:
    """A counter whose label values are known; each has its cell."""

    __slots__ = ("_cells", "_places")

    def __init__(self, cells: memoryview, places: dict[tuple[str, ...], int]) -> None:
        self._cells = cells
        self._places = places

    def add(self, *labels: str, by: int = 1) -> None:
        """`labels` in the order of the family's names; an unknown combination counts as `other`."""
        at = self._places.get(labels)
        if at is None:
            at = self._places[(OTHER,) * len(labels)]
        self._cells[at] += by


class _Watched:
    """A number somebody else keeps: read at each scrape, and regularly where other workers have to see it."""

    def __init__(self, family: _Family, read: Callable[[], int | Mapping[str, int]]) -> None:
        self.family = family
        self.read = read
        self.places: dict[tuple[str, ...], int] = {}


class Metrics:
    """All metrics of this process.

    `declare_routes` has to be told the names of the path table; with several workers `directory` is theirs together.
    """

    def __init__(
        self,
        *,
        grant_types: Sequence[str] = (),
        store_types: Sequence[str] = (),
        delivery_kinds: Sequence[str] = (),
        factors: Sequence[str] = (),
        mail_templates: Sequence[str] = (),
        directory: Path | None = None,
    ) -> None:
        self._cells = Cells(directory)
        self._families: list[_Family] = []
        self._watched: list[_Watched] = []
        self._routes: dict[str, RouteMetrics] = {}
        self._tokens_issued = self._counter(
            "oauth2_tokens_issued", "Access tokens issued", grant_type=grant_types, format=("opaque", "jwt")
        )
        self._introspections = self._counter(
            "oauth2_introspections", "Introspection answers", outcome=("active", "inactive", "refused")
        )
        self._sign_ins = self._counter(
            "sign_ins", "Sign-in tries",
            outcome=("succeeded", "refused", "denied", "locked", "limited", "unavailable", "busy"),
            store_type=(*store_types, OTHER),
        )  # fmt: skip
        self._scripts = self._counter(
            "sign_in_script_runs", "Runs of sign-in scripts, by what came of them",
            outcome=("asked", "finished", "refused", "failed", "limited", "diverged", "busy", "not_run"),
        )  # fmt: skip
        self._shadow = self._counter(
            "shadow_scripts", "Sign-ins compared with a candidate script, by what came of it",
            verdict=("same", "stricter", "weaker", "error", "unknown", "dropped"),
        )  # fmt: skip
        self._script_microseconds = self._counter(
            "sign_in_script_microseconds", "Time that runs of sign-in scripts took, waiting included"
        )
        self._factors = self._counter(
            "sign_in_factors", "Answers to a factor of sign-in, and codes sent", factor=factors,
            outcome=("passed", "refused", "locked", "limited", "expired", "suspended", "sent"),
        )  # fmt: skip
        self._rate_limited = self._counter(
            "rate_limited", "Requests refused by a rate limit", door=("token", "sign_in", "registration")
        )
        self._deliveries = self._counter(
            "deliveries", "Tries to deliver a message to another system", kind=delivery_kinds,
            outcome=("delivered", "retried", "failed"),
        )  # fmt: skip
        self._mails = self._counter(
            "mails", "Mails asked for", template=mail_templates, verdict=("queued", "limited", "bad_address")
        )
        self.deliveries_waiting = 0
        """Messages to other systems that have not arrived yet; the job that delivers them sets it."""
        self.watch("deliveries_waiting", "Messages to other systems that have not arrived yet",
                   lambda: self.deliveries_waiting, combine="max")  # fmt: skip
        self.purge_backlog: dict[str, int] = {}
        """Expired rows still in a table when the purge job last counted, by table; the job sets it."""
        self.watch("purge_backlog_rows", "Expired rows not purged yet", lambda: self.purge_backlog,
                   label="table", kind="gauge", combine="max")  # fmt: skip

    def declare_routes(self, names: Iterable[str]) -> None:
        """The closed label set of the request metrics, once, before the first request."""
        self._routes = self._route_metrics(names)
        self._cells.publish_layout()

    def route(self, name: str) -> RouteMetrics:
        """What a caller may keep who observes the same route again and again."""
        return self._routes.get(name) or self._routes[OTHER]

    def request(self, route: str, status: int, microseconds: int) -> None:
        """One answer of a route: its status (100-599) and how long it took."""
        (self._routes.get(route) or self._routes[OTHER]).observe(status, microseconds)

    def token_issued(self, grant_type: str, token_format: str) -> None:
        """An access token, `opaque` or `jwt`."""
        self._tokens_issued.add(grant_type, token_format)

    def introspected(self, outcome: str) -> None:
        """`active`, `inactive`, or `refused` when the caller was."""
        self._introspections.add(outcome)

    def sign_in(self, outcome: str, store_type: str = OTHER) -> None:
        """`succeeded`, `refused`, `locked`, `limited`, `unavailable` or `busy`; the store's type where it is known."""
        self._sign_ins.add(outcome, store_type)

    def factor(self, name: str, outcome: str) -> None:
        """`passed`, `refused`, `locked`, `limited`, `expired`, `suspended` or `sent`."""
        self._factors.add(name, outcome)

    def script(self, outcome: str, seconds: float = 0.0) -> None:
        """A run of a sign-in script: what came of it, and how long it took with waiting."""
        self._scripts.add(outcome)
        self._script_microseconds.add(by=int(seconds * 1_000_000))

    def shadow(self, verdict: str) -> None:
        """A sign-in compared with a candidate script: `same`, `stricter`, `weaker`, `error`, `unknown`, `dropped`."""
        self._shadow.add(verdict)

    def limited(self, door: str) -> None:
        """A request that a rate limit refused, at the door `token`, `sign_in` or `registration`."""
        self._rate_limited.add(door)

    def delivery(self, kind: str, outcome: str) -> None:
        """A try that was `delivered`, is `retried` later, or `failed` for good."""
        self._deliveries.add(kind, outcome)

    def mail(self, template: str, verdict: str) -> None:
        """A mail that was asked for: `queued`, `limited` or `bad_address`."""
        self._mails.add(template, verdict)

    def watch(
        self,
        name: str,
        description: str,
        read: Callable[[], int | Mapping[str, int]],
        *,
        label: str = "",
        kind: Literal["counter", "gauge"] = "gauge",
        combine: Combine = "sum",
    ) -> None:
        """Shows a number, or with `label` a mapping of at most 200 label values to numbers, kept elsewhere.

        `combine` says how the workers' numbers make one: a circuit breaker's state is their maximum. Counter names are
        given without `_total`.
        """
        family = _Family(name, description, (label,) if label else (), kind, combine)
        self._families.append(family)
        self._watched.append(_Watched(family, read))

    def publish(self) -> None:
        """Copies the watched numbers to where the other workers see them; once a second is enough, alone needless."""
        grown = False
        for watched in self._watched:
            found = watched.read()
            numbers = found if isinstance(found, Mapping) else {"": found}
            for at in watched.places.values():
                self._cells.view[at] = 0  # a label that is no longer told
            for value, number in numbers.items():
                labels = (value,) if watched.family.labels else ()
                at = watched.places.get(labels, -1)
                if at < 0:
                    if len(watched.places) >= MAXIMUM_LABELS:
                        continue
                    at = watched.places[labels] = self._cells.reserve(watched.family.name, labels, 1)
                    grown = True
                self._cells.view[at] = number
        if grown:
            self._cells.publish_layout()

    def exposition(self) -> tuple[bytes, str]:
        """The text of `/metrics` over all workers, and its content type."""
        import prometheus_client

        self.publish()
        registry = prometheus_client.CollectorRegistry()
        registry.register(_Collector(self._collect()))
        return prometheus_client.generate_latest(registry), prometheus_client.CONTENT_TYPE_LATEST

    def _counter(self, name: str, description: str, **labels: Sequence[str]) -> _Counter:
        self._families.append(_Family(name, description, tuple(labels), "counter"))
        combinations = list(product(*labels.values()))
        if labels:
            combinations.append((OTHER,) * len(labels))
        places = {values: self._cells.reserve(name, values, 1) for values in combinations}
        return _Counter(self._cells.view, places)

    def _route_metrics(self, routes: Iterable[str]) -> dict[str, RouteMetrics]:
        self._families.append(_Family("http_request", "HTTP requests", ("route",), "routes"))
        return {
            name: RouteMetrics(
                self._cells.view, self._cells.reserve("http_request", (name,), _BUCKETS + len(_BOUNDS) + 1)
            )
            for name in dict.fromkeys((*routes, OTHER))
        }

    def _collect(self) -> "list[Metric]":
        shares = self._cells.shares()
        found: list[Metric] = []
        for family in self._families:
            combined: dict[Place, tuple[int, ...]] = {}
            for share in shares:
                if family.kind == "gauge" and not share.alive:
                    continue
                for place, numbers in share.values.items():
                    if place[0] == family.name:
                        combined[place] = _combine(family.combine, combined.get(place), numbers)
            found += _exposed(family, combined)
        return found


class _Collector:
    """What prometheus_client calls: the families, already made."""

    def __init__(self, families: "list[Metric]") -> None:
        self._families = families

    def collect(self) -> "list[Metric]":
        return self._families


def _combine(how: Combine, one: tuple[int, ...] | None, other: tuple[int, ...]) -> tuple[int, ...]:
    if one is None:
        return other
    join: Callable[[Any], int] = sum if how == "sum" else max
    return tuple(join(pair) for pair in zip(one, other, strict=True))


def _exposed(family: _Family, combined: Mapping[Place, tuple[int, ...]]) -> "list[Metric]":
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

    if family.kind == "routes":
        return _exposed_routes(combined)
    build: Any = GaugeMetricFamily if family.kind == "gauge" else CounterMetricFamily
    metric: Metric = build(family.name, family.description, labels=family.labels)
    for (_, labels), numbers in combined.items():
        metric.add_metric(labels, numbers[0])  # type: ignore[attr-defined]
    return [metric]


def _exposed_routes(combined: Mapping[Place, tuple[int, ...]]) -> "list[Metric]":
    """Routes nobody has called are left out: they would be most of the text."""
    from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily

    requests = CounterMetricFamily("http_requests", "Requests by route and status class", labels=("route", "status"))
    durations = HistogramMetricFamily("http_request_duration_seconds", "Time to answer by route", labels=("route",))
    for (_, labels), numbers in combined.items():
        if not any(numbers):
            continue
        for status_class, count in zip(_STATUS_CLASSES, numbers, strict=False):
            if count:
                requests.add_metric((*labels, status_class), count)
        bounds = [str(bound / 1e6) for bound in _BOUNDS] + ["+Inf"]
        buckets = list(zip(bounds, map(float, accumulate(numbers[_BUCKETS:])), strict=True))
        durations.add_metric(labels, buckets, numbers[_SUM] / 1e6)
    return [requests, durations]
