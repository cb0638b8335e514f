"""The table on the screen and the JSON file beside it."""

import json
import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.backtests import BOUND as BACKTEST_BOUND
from tests.bench.backtests import BacktestSpeed
from tests.bench.cells import Figures
from tests.bench.flood import BOUND, SHARE, Delay
from tests.bench.hostile import FACTOR, MORE_MS, Hostility
from tests.bench.scripts import ScriptRow
from tests.bench.start import FIRST_BOUND, MEMORY_BOUND_MB, SECOND_BOUND, Start

_HEAD = (
    f"{'engine':10} {'workload':27} {'CPU ms':>8} {'db ms':>7} {'beside':>8} {'ratio':>6}  {'bound':24} {'ms':>7} "
    f"{'':4} {'req/s':>7} {'p50 ms':>7} {'p99 ms':>7} {'err':>4} {'PSS MB':>6}"
)


@dataclass(kw_only=True)
class Report:
    figures: list[Figures] = field(default_factory=list)
    delays: dict[str, Delay] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)
    scripts: list[ScriptRow] = field(default_factory=list)
    backtests: dict[str, BacktestSpeed] = field(default_factory=dict)
    hostilities: dict[str, list[Hostility]] = field(default_factory=dict)
    grown: list[str] = field(default_factory=list)
    """What costs more with many rows than with few, beyond the bound."""

    @property
    def missed(self) -> list[str]:
        """What does not hold. The issue's bounds on CPU are for PostgreSQL; SQLite is shown beside."""
        found = [figures.name for figures in self.figures if figures.engine == "postgresql" and not figures.holds]
        for name, delay in self.delays.items():
            if delay.ratio is None or delay.ratio > BOUND:
                found.append(f"delay under a login flood ({name}{', not measured' if delay.ratio is None else ''})")
        for name, measured in self.hostilities.items():
            found += [f"{_situation(each)} ({name})" for each in measured if not each.holds]
        found += [f"backtest ({name})" for name, speed in self.backtests.items() if not speed.holds]
        found += [row.name for row in self.scripts if not row.holds]
        return (
            found
            + self.grown
            + [f"{what} ({start.engine})" for start in self.starts for what, good in _judge(start) if not good]
        )

    def write(self, path: Path) -> None:
        document: dict[str, Any] = asdict(self) | {
            "missed": self.missed,
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "python": platform.python_version(),
            "machine": platform.machine(),
        }
        path.write_text(json.dumps(document, indent=1))


def print_head() -> None:
    print(_HEAD, flush=True)


def print_figures(figures: Figures) -> None:
    beside = f"{figures.beside_ms:8.4f}" if figures.beside_ms else f"{'':8}"
    ratio = f"{figures.cpu_ms / figures.beside_ms:6.2f}" if figures.beside_ms else f"{'':6}"
    database = f"{figures.database_ms:7.4f}" if figures.database_ms is not None else f"{'-':>7}"
    print(
        f"{figures.engine:10} {figures.name:27} {figures.cpu_ms:8.4f} {database} {beside} {ratio}  {figures.bound:24} "
        f"{figures.bound_ms:7.4f} {'ok' if figures.holds else 'MISS':4} {figures.per_second:7.0f} "
        f"{figures.p50_ms:7.2f} {figures.p99_ms:7.2f} {figures.errors:4} {figures.pss_mb:6.1f}",
        flush=True,
    )


def print_delay(engine: str, delay: Delay) -> None:
    rate = f"{engine}: {delay.per_second:.0f} introspections/s ({SHARE:.0%} of the most)"
    every = " ".join(f"{window['ratio']:.2f}{'' if window['counts'] else '!'}" for window in delay.windows)
    if delay.ratio is None:
        print(
            f"\n{rate}, p99 under a login flood NOT MEASURED: only {delay.counted} of {delay.wanted} pairs had a quiet "
            f"window without a backlog; use a quieter machine (ratios, ! does not count: {every})",
            flush=True,
        )
        return
    print(
        f"\n{rate}, p99 quiet {delay.quiet_p99_ms:.2f} ms, under {delay.logins_per_second:.0f} logins/s "
        f"{delay.flooded_p99_ms:.2f} ms: median ratio {delay.ratio:.2f}, bound {BOUND:g} "
        f"{_word(delay.ratio <= BOUND)} (errors {delay.errors}; ratios, ! does not count: {every})",
        flush=True,
    )


def print_hostility(engine: str, hostility: Hostility) -> None:
    print(
        f"{engine}: {_situation(hostility)}: {hostility.logins} honest sign-ins, p99 quiet "
        f"{hostility.quiet_login_p99_ms:.0f} ms, hostile {hostility.hostile_login_p99_ms:.0f} ms: "
        f"{hostility.later_ms:+.0f} ms, bound {MORE_MS:g} {_word(hostility.later_ms <= MORE_MS)}; "
        f"{hostility.per_second:.0f} introspections/s, p99 quiet {hostility.quiet_p99_ms:.2f} ms, hostile "
        f"{hostility.hostile_p99_ms:.2f} ms: median ratio {hostility.ratio:.2f}, bound {FACTOR:g} "
        f"{_word(hostility.ratio <= FACTOR)} ({hostility.stopped} scripts stopped at a limit, {hostility.refused} "
        f"sign-ins refused in a pause, errors {hostility.errors})",
        flush=True,
    )


def _situation(hostility: Hostility) -> str:
    return "hostile tenants, looping" if hostility.looping else "hostile tenants, paused"


def print_backtest(engine: str, speed: BacktestSpeed) -> None:
    print(
        f"{engine}: backtest {speed.per_second:.0f} sign-ins/s of one core ({speed.passes} passes over {speed.logins} "
        f"recordings), bound {BACKTEST_BOUND:g} {_word(speed.holds)}",
        flush=True,
    )


def print_start(start: Start) -> None:
    verdicts = [good for _, good in _judge(start)]
    print(
        f"{start.engine}: first start {start.first_s:.2f} s = {start.first_s / start.import_s:.2f} × importing "
        f"fastapi and sqlalchemy ({start.import_s:.2f} s), bound {FIRST_BOUND:g} {_word(verdicts[0])}; second "
        f"{start.second_s:.2f} s = {start.second_s / start.import_s:.2f} ×, bound {SECOND_BOUND:g} "
        f"{_word(verdicts[1])}; memory {start.pss_mb:.1f} MB PSS, bound {MEMORY_BOUND_MB:g} {_word(verdicts[2])}",
        flush=True,
    )


def _judge(start: Start) -> list[tuple[str, bool]]:
    return [
        ("first start", start.first_s <= FIRST_BOUND * start.import_s),
        ("second start", start.second_s <= SECOND_BOUND * start.import_s),
        ("memory", start.pss_mb <= MEMORY_BOUND_MB),
    ]


def _word(good: bool) -> str:
    return "ok" if good else "MISS"
