"""What `/metrics` tells: closed labels, buckets, and one picture over all workers, dead ones too."""

import multiprocessing
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from identity.telemetry import Metrics

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(metrics: Metrics) -> Samples:
    body, content_type = metrics.exposition()
    assert content_type.startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def make(directory: Path | None = None) -> Metrics:
    metrics = Metrics(grant_types=("client_credentials",), store_types=("sql",), directory=directory)
    metrics.declare_routes(["token", "jwks"])
    return metrics


def test_requests() -> None:
    metrics = make()
    metrics.request("token", 200, 700)
    metrics.request("token", 204, 1000)
    metrics.request("token", 503, 60_000_000)
    metrics.route("jwks").observe(304, 20)
    found = samples(metrics)
    assert found["http_requests_total", (("route", "token"), ("status", "2xx"))] == 2
    assert found["http_requests_total", (("route", "token"), ("status", "5xx"))] == 1
    assert found["http_requests_total", (("route", "jwks"), ("status", "3xx"))] == 1
    buckets = {
        dict(labels)["le"]: value
        for (name, labels), value in found.items()
        if name == "http_request_duration_seconds_bucket" and dict(labels)["route"] == "token"
    }
    assert buckets["0.0005"] == 0
    assert buckets["0.001"] == 2
    assert buckets["5.0"] == 2
    assert buckets["+Inf"] == 3
    assert found["http_request_duration_seconds_count", (("route", "token"),)] == 3
    assert found["http_request_duration_seconds_sum", (("route", "token"),)] == pytest.approx(60.0017)


def test_a_clock_that_is_set_back_takes_nothing_away() -> None:
    metrics = make()
    metrics.request("token", 200, -5_000_000)
    assert samples(metrics)["http_request_duration_seconds_sum", (("route", "token"),)] == 0


def test_counters() -> None:
    metrics = make()
    metrics.token_issued("client_credentials", "opaque")
    metrics.introspected("active")
    metrics.introspected("active")
    metrics.sign_in("succeeded", "sql")
    metrics.sign_in("limited")
    metrics.limited("token")
    metrics.purge_backlog["tokens"] = 12
    found = samples(metrics)
    assert found["oauth2_tokens_issued_total", (("format", "opaque"), ("grant_type", "client_credentials"))] == 1
    assert found["oauth2_introspections_total", (("outcome", "active"),)] == 2
    assert found["sign_ins_total", (("outcome", "succeeded"), ("store_type", "sql"))] == 1
    assert found["sign_ins_total", (("outcome", "limited"), ("store_type", "other"))] == 1
    assert found["rate_limited_total", (("door", "token"),)] == 1
    assert found["purge_backlog_rows", (("table", "tokens"),)] == 12


def test_label_sets_are_closed() -> None:
    """Keycloak CVE-2026-16100: text of strangers as a label grows the memory of two servers."""
    metrics = make()
    before = len(samples(metrics))
    for number in range(500):
        metrics.token_issued(f"urn:{number}", "opaque")
        metrics.introspected(f"x\n{number}")
        metrics.request(f"/{number}", 404, 10)
    found = samples(metrics)
    assert found["oauth2_introspections_total", (("outcome", "other"),)] == 500
    assert found["http_requests_total", (("route", "other"), ("status", "4xx"))] == 500
    assert len(found) < before + 40


def test_watched_numbers_are_read_at_each_scrape() -> None:
    metrics = make()
    queue: list[int] = []
    states = {"people": 0}
    metrics.watch("password_lane_waiting", "Hashes that wait", lambda: len(queue))
    metrics.watch("store_breaker_state", "0 closed, 1 half open, 2 open", lambda: states, label="store", combine="max")
    assert samples(metrics)["password_lane_waiting", ()] == 0
    queue += [1, 2]
    states.update(people=2, partners=1)
    found = samples(metrics)
    assert found["password_lane_waiting", ()] == 2
    assert found["store_breaker_state", (("store", "people"),)] == 2
    del states["people"]
    assert samples(metrics)["store_breaker_state", (("store", "people"),)] == 0


def test_watched_labels_are_bounded_and_escaped() -> None:
    metrics = make()
    metrics.watch("stores", "Stores", lambda: {f'a"\n\\{number}': number for number in range(1000)}, label="store")
    assert sum(name == "stores" for name, _ in samples(metrics)) == 200


def work(directory: Path, number: int) -> None:
    """A worker: counts, publishes its gauges, and is gone without saying so."""
    metrics = make(directory)
    metrics.watch("waiting", "What waits", lambda: 10 * number)
    metrics.watch("statements", "Statements", lambda: number, kind="counter")
    for _ in range(number):
        metrics.request("token", 200, 100)
        metrics.introspected("active")
    metrics.publish()


@pytest.mark.skipif(sys.platform == "win32", reason="workers are POSIX processes")
def test_all_workers_make_one_picture(tmp_path: Path) -> None:
    metrics = make(tmp_path)
    metrics.watch("waiting", "What waits", lambda: 1)
    metrics.watch("statements", "Statements", lambda: 100, kind="counter")
    metrics.request("token", 200, 100)
    workers = [multiprocessing.get_context("spawn").Process(target=work, args=(tmp_path, n)) for n in (2, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    found = samples(metrics)
    assert found["http_requests_total", (("route", "token"), ("status", "2xx"))] == 6
    assert found["http_request_duration_seconds_count", (("route", "token"),)] == 6
    assert found["oauth2_introspections_total", (("outcome", "active"),)] == 5
    assert found["statements_total", ()] == 105
    assert found["waiting", ()] == 1  # a dead worker's counts stay, its gauges do not


def test_two_live_workers(tmp_path: Path) -> None:
    one, two = make(tmp_path), make(tmp_path)
    one.watch("waiting", "What waits", lambda: 1)
    two.watch("waiting", "What waits", lambda: 5)
    two.publish()
    two.introspected("active")
    assert samples(one)["waiting", ()] == 6
    assert samples(one)["oauth2_introspections_total", (("outcome", "active"),)] == 1
