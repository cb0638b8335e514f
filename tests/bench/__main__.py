"""`make bench`: what a request costs, how late answers come, how a start feels, each beside its bound.

The server and its database run on one core, the generators on another, a bare uvicorn beside them in the same run.
CPU per request is the figure to trust on a shared machine; rates and latencies are what this machine gave today.
"""

import argparse
import http.server
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.backtests import measure_backtest
from tests.bench.bare import BareServer
from tests.bench.cells import Bench, cells
from tests.bench.flood import measure_delay
from tests.bench.hostile import measure_hostility
from tests.bench.installation import Installation
from tests.bench.machine import GENERATOR_CORE, SERVER_CORE, on_core
from tests.bench.report import (
    Report,
    print_backtest,
    print_delay,
    print_figures,
    print_head,
    print_hostility,
    print_start,
)
from tests.bench.scale import measure_scale
from tests.bench.scripts import measure_evaluations, measure_memory, print_script_row
from tests.bench.sign_in import first_tokens
from tests.bench.start import SETTLED_SECONDS, measure_starts
from tests.support.postgres import PostgresCluster, find_postgres
from tests.support.server import Engine


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="PostgreSQL only, one window a cell: about a minute")
    parser.add_argument("--engine", choices=["postgresql", "sqlite"], help="only this one")
    parser.add_argument("--only", default="", help="cells whose name contains this; nothing else is measured")
    parser.add_argument(
        "--scale", action="store_true", help="PostgreSQL only: the hot figures with few rows and with ten million"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="of a window, 2 or more for figures to keep")
    parser.add_argument("--windows", type=int, default=3, help="of each cell")
    parser.add_argument("--out", type=Path, default=Path("bench-results.json"))
    options = parser.parse_args(arguments)
    if options.quick:
        options.windows = 1
    return options


def main() -> int:
    options = options_of()
    os.sched_setaffinity(0, {GENERATOR_CORE})
    report = Report()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        cluster = stack.enter_context(_postgres())
        engines = _engines(options, cluster)
        if not options.only and not options.scale:
            places = [_place(engine, Path(folder) / f"start-{engine}", cluster) for engine in engines]
            report.starts = measure_starts(places, 1.0 if options.quick else SETTLED_SECONDS)
            for start in report.starts:
                print_start(start)
        if not options.scale:
            _measure_scripts(options, report)
        bare = BareServer()
        stack.callback(bare.stop)
        collector = stack.enter_context(_collector())
        for engine in engines:
            place = _place(engine, Path(folder) / f"load-{engine}", cluster, otlp_endpoint=collector)
            place.start()
            try:
                _measure(options, place, bare, cluster if engine == "postgresql" else None, report)
            finally:
                place.stop()
                report.write(options.out)
    print(f"\n{options.out} has every window. Missed: {', '.join(report.missed) or 'nothing'}.")
    return 0


def _measure_scripts(options: argparse.Namespace, report: Report) -> None:
    """What scripts cost without a server."""
    with on_core(SERVER_CORE):
        if options.only in ("", "script"):
            for row in measure_evaluations():
                report.scripts.append(row)
                print_script_row(row)
        if options.only in ("", "memory"):
            for row in measure_memory(10_000 if options.quick else 100_000):
                report.scripts.append(row)
                print_script_row(row)


def _measure(
    options: argparse.Namespace, place: Installation, bare: BareServer, cluster: PostgresCluster | None, report: Report
) -> None:
    import asyncio

    place.fill()
    place.fill_tokens(asyncio.run(first_tokens(place))["id_token"])
    bench = Bench(
        place, bare, cluster.program.pid if cluster else None, seconds=options.seconds, windows=options.windows
    )
    if options.scale:
        report.grown = measure_scale(bench, place)
        return
    print_head()
    chosen = [cell for cell in cells(place) if options.only in cell.name]
    for cell in chosen:
        figures = bench.measure(cell)
        report.figures.append(figures)
        print_figures(figures)
    if options.only in ("", "flood"):
        full = bench.figures.get("introspection, person") or bench.measure(cells(place)[0])
        pairs = 2 if options.quick else 5
        delay = measure_delay(place, full, seconds=options.seconds, pairs=pairs)
        report.delays[place.engine] = delay
        print_delay(place.engine, delay)
    if options.only in ("", "backtest"):
        speed = measure_backtest(place, seconds=options.seconds)
        report.backtests[place.engine] = speed
        print_backtest(place.engine, speed)
    if options.only in ("", "hostile") and place.engine == "postgresql":
        full = bench.figures.get("introspection, person") or bench.measure(cells(place)[0])
        seconds, pairs = (2.0, 2) if options.quick else (4.0, 4)
        measured = measure_hostility(place, full, seconds=seconds, pairs=pairs)
        report.hostilities[place.engine] = measured
        for each in measured:
            print_hostility(place.engine, each)


def _engines(options: argparse.Namespace, cluster: PostgresCluster | None) -> list[Engine]:
    engines: list[Engine] = ["postgresql", "sqlite"]
    if options.engine:
        engines = [options.engine]
    elif options.quick or options.scale:
        engines = engines[:1]
    if cluster is None and "postgresql" in engines:
        print("PostgreSQL is not installed here: SQLite only.")
        engines = ["sqlite"]
    return engines


def _place(engine: Engine, data: Path, cluster: PostgresCluster | None, **settings: str) -> Installation:
    data.mkdir()
    url = cluster.create_database() if engine == "postgresql" and cluster is not None else None
    return Installation(engine, data, url, **settings)


@contextmanager
def _postgres() -> Iterator[PostgresCluster | None]:
    programs = find_postgres()
    if programs is None:
        yield None
        return
    cluster = PostgresCluster(programs, fsync=True)
    try:
        with on_core(SERVER_CORE):
            cluster.start()
        yield cluster
    finally:
        cluster.stop()


@contextmanager
def _collector() -> Iterator[str]:
    """Something that takes the traces of the sampled requests and forgets them; its address."""

    class Forget(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forget)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    raise SystemExit(main())
