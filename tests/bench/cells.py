"""The cells of the table: what is asked, what must come back, what it is measured against, and its bound."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Literal

import uvloop

from tests.bench.bare import BareServer
from tests.bench.callers import Callers
from tests.bench.installation import Client, Installation
from tests.bench.load import Crowd, Load, Work, wrk
from tests.bench.machine import SERVER_CORE, cpu_seconds, on_core, pss_megabytes
from tests.bench.sign_in import first_tokens, full_login, refresh
from tests.bench.wire import Answer, Http, Surprise, request_bytes

CONNECTIONS = 32

Against = Literal["bare", "signature", "check", "hash", "nothing"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One workload. `requests` go through wrk, `work` through virtual users.

    The bound: `factor` times what it is measured `against` plus `plus_ms`, plus `above_factor` times the figure of the
    cell `above`. Without any it is only shown.
    """

    name: str
    requests: Sequence[bytes] = ()
    work: Work | None = None
    proves: Callable[[Any], bool] = bool
    against: Against = "bare"
    factor: float = 0.0
    plus_ms: float = 0.0
    above: str = ""
    above_factor: float = 1.0
    bound: str = "none"


@dataclass(kw_only=True)
class Figures:
    """Medians over the windows. CPU in ms per request; `beside_ms` is what the cell is measured against."""

    engine: str
    name: str
    against: str
    bound: str
    cpu_ms: float = 0.0
    database_ms: float | None = None
    beside_ms: float = 0.0
    bound_ms: float = 0.0
    per_second: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    errors: int = 0
    pss_mb: float = 0.0
    windows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return (self.cpu_ms <= self.bound_ms or self.bound == "none") and not self.errors


def cells(place: Installation) -> list[Cell]:
    base_url, clients = place.server.base_url, place.clients
    discovery = "/oauth2/token/.well-known/openid-configuration"
    chains: dict[int, str] = {}
    web = clients["web"]

    def introspections(tokens: Sequence[str], client: Client) -> list[bytes]:
        headers = {"Authorization": client.basic}
        return [request_bytes(base_url, "POST", "/oauth2/introspect", headers, {"token": token}) for token in tokens]

    def machine_token(name: str) -> list[bytes]:
        form = {"grant_type": "client_credentials", "scope": "read"}
        return [request_bytes(base_url, "POST", "/oauth2/token", {"Authorization": clients[name].basic}, form)]

    async def one_login(http: Http, number: int) -> None:
        await full_login(http, base_url, web)

    async def one_refresh(http: Http, number: int) -> None:
        try:
            if number not in chains:
                chains[number] = (await full_login(http, base_url, web, "profile"))["refresh_token"]
            chains[number] = await refresh(http, web, chains[number])
        except Surprise:
            chains.pop(number, None)
            raise

    bearer = [
        request_bytes(base_url, "GET", "/oauth2/userinfo", {"Authorization": f"Bearer {token}"})
        for token in place.person_tokens
    ]
    return [
        Cell(name="introspection, person", requests=introspections(place.person_tokens, web),
             proves=lambda body: body["active"] is True and "username" in body, factor=2.5, bound="2.5 × bare"),
        Cell(name="introspection, machine", requests=introspections(place.machine_tokens, clients["opaque"]),
             proves=lambda body: body["active"] is True, factor=2.5, bound="2.5 × bare"),
        Cell(name="client credentials, opaque", requests=machine_token("opaque"),
             proves=lambda body: body["access_token"].startswith("at_"), factor=3.5, bound="3.5 × bare"),
        Cell(name="client credentials, ES256", requests=machine_token("es256"),
             proves=lambda body: body["access_token"].count(".") == 2, factor=5.0, bound="5 × bare"),
        Cell(name="client credentials, RS256", requests=machine_token("rs256"),
             proves=lambda body: body["access_token"].count(".") == 2, against="signature", factor=1.3,
             above="client credentials, opaque", bound="opaque + 1.3 × signature"),
        Cell(name="JWKS", requests=[request_bytes(base_url, "GET", "/oauth2/jwks", {})],
             proves=lambda body: len(body["keys"]) >= 2, factor=1.5, bound="1.5 × bare"),
        Cell(name="discovery", requests=[request_bytes(base_url, "GET", discovery, {})],
             proves=lambda body: body["issuer"].startswith("http"), factor=1.5, bound="1.5 × bare"),
        Cell(name="userinfo", requests=bearer, proves=lambda body: "email" in body, factor=3.0, bound="3 × bare"),
        Cell(name="refresh with rotation", work=one_refresh, against="nothing", plus_ms=0.5, bound="0.5 ms"),
        Cell(name="full login", work=one_login, against="hash", factor=1.0, plus_ms=3.0, bound="hash + 3 ms"),
        *_of_scripts(place),
        *_of_clients(place, introspections),
    ]  # fmt: skip


def _of_scripts(place: Installation) -> list[Cell]:
    """Sign-ins that a script decides."""
    base_url, clients, holders = place.server.base_url, place.clients, place.holders

    async def one_step(http: Http, number: int) -> None:
        await full_login(http, base_url, clients["scripted"])

    async def two_steps(http: Http, number: int) -> None:
        name, holder = holders.next()
        await full_login(
            http, base_url, clients["scripted, 2 factors"], username=name, code=lambda: holders.code(holder)
        )

    return [
        Cell(name="scripted login", work=one_step, against="nothing", above="full login", plus_ms=5.0,
             bound="full login + 5 ms"),
        Cell(name="scripted login, 2 factors", work=two_steps, against="nothing"),
    ]  # fmt: skip


def _of_clients(place: Installation, introspections: Callable[[Sequence[str], Client], list[bytes]]) -> list[Cell]:
    """What clients of a higher grade ask for."""
    callers = Callers(place)
    return [
        Cell(name="introspection, ES256", requests=introspections(place.jwts["es256"], place.clients["es256"]),
             proves=lambda body: body["active"] is True, against="nothing", above="introspection, machine",
             above_factor=1.3, bound="1.3 × opaque"),
        Cell(name="introspection, RS256", requests=introspections(place.jwts["rs256"], place.clients["rs256"]),
             proves=lambda body: body["active"] is True, against="nothing", above="introspection, machine",
             above_factor=1.3, bound="1.3 × opaque"),
        Cell(name="DPoP-bound token, ES256", work=callers.dpop_token, against="check", factor=1.0, plus_ms=0.1,
             above="client credentials, ES256", bound="ES256 token + check + 0.1"),
        Cell(name="private_key_jwt token", work=callers.assertion_token, against="nothing"),
        Cell(name="pushed request + authorize", work=callers.pushed_authorization, against="nothing"),
        Cell(name="device poll, pending", work=callers.device_poll, against="nothing"),
        Cell(name="dynamic registration", work=callers.registration, against="nothing"),
    ]  # fmt: skip


class Bench:
    """Measures one installation. `database` is the process of its PostgreSQL."""

    def __init__(self, place: Installation, bare: BareServer, database: int | None, *, seconds: float, windows: int):
        self.place = place
        self._bare = bare
        self._database = database
        self._seconds = seconds
        self._windows = windows
        self.figures: dict[str, Figures] = {}

    def measure(self, cell: Cell) -> Figures:
        """One call is proved; then windows of the server and of what it is measured against, in turn."""
        size = self._prove(cell)
        crowd = Crowd(self.place.server.base_url, CONNECTIONS, cell.work) if cell.work else None
        figures = Figures(engine=self.place.engine, name=cell.name, against=cell.against, bound=cell.bound)
        self._load(cell, crowd, min(1.0, self._seconds))
        besides: list[float] = []
        for _ in range(self._windows):
            besides.append(self._beside(cell, size))
            figures.windows.append(self._window(cell, crowd))
        self._conclude(cell, figures, besides)
        if crowd is not None and crowd.surprise:
            print("unexpected answer:", crowd.surprise)
        self.figures[cell.name] = figures
        return figures

    def _prove(self, cell: Cell) -> int:
        """The size of the answer's body."""
        if cell.work is not None:
            assert "id_token" in asyncio.run(first_tokens(self.place))
            return 0

        async def ask() -> Answer:
            async with Http(self.place.server.base_url) as http:
                return await http.send(cell.requests[0])

        answer = asyncio.run(ask())
        assert answer.status == 200, answer
        assert cell.proves(json.loads(answer.body)), f"{cell.name}: {answer}"
        return len(answer.body)

    def _load(self, cell: Cell, crowd: Crowd | None, seconds: float) -> Load:
        if crowd is not None:
            return uvloop.run(crowd.run(seconds))
        return wrk(self.place.server.base_url, cell.requests, CONNECTIONS, seconds)

    def _window(self, cell: Cell, crowd: Crowd | None) -> dict[str, Any]:
        server, database = self.place.server.pid, self._database
        before = cpu_seconds(server), cpu_seconds(database) if database else 0.0
        load = self._load(cell, crowd, self._seconds)
        used = cpu_seconds(server) - before[0]
        beside = cpu_seconds(database) - before[1] if database else 0.0
        done = max(1, load.requests)
        return asdict(load) | {"cpu_ms": 1000 * used / done, "database_ms": 1000 * beside / done}

    def _beside(self, cell: Cell, size: int) -> float:
        if cell.against == "bare":
            return self._bare_cpu(cell, size)
        if cell.against == "nothing":
            return 0.0
        with on_core(SERVER_CORE):
            return {"signature": signature_ms, "check": check_ms, "hash": hash_ms}[cell.against]()

    def _bare_cpu(self, cell: Cell, size: int) -> float:
        """The same requests, but for their path, to the bare server."""
        path = b"/%d" % size
        requests = []
        for request in cell.requests[:200]:
            method, _, rest = request.split(b" ", 2)
            requests.append(b" ".join((method, path, rest)))
        before = cpu_seconds(self._bare.program.pid)
        load = wrk(self._bare.base_url, requests, CONNECTIONS, 1)
        assert not load.errors
        return 1000 * (cpu_seconds(self._bare.program.pid) - before) / max(1, load.requests)

    def _figure_of(self, name: str) -> float:
        """The CPU of another cell, measured now if it was not among those chosen."""
        found = self.figures.get(name)
        if found is None:
            found = self.measure(next(cell for cell in cells(self.place) if cell.name == name))
        return found.cpu_ms

    def _conclude(self, cell: Cell, figures: Figures, besides: list[float]) -> None:
        def middle(name: str) -> float:
            return float(median(window[name] for window in figures.windows))

        figures.cpu_ms, figures.per_second = (
            middle("cpu_ms"),
            median(window["requests"] / window["seconds"] for window in figures.windows),
        )
        figures.database_ms = middle("database_ms") if self._database else None
        figures.p50_ms, figures.p99_ms = middle("p50_ms"), middle("p99_ms")
        figures.errors = sum(window["errors"] for window in figures.windows)
        figures.pss_mb = pss_megabytes(self.place.server.pid)
        figures.beside_ms = median(besides)
        figures.bound_ms = cell.factor * figures.beside_ms + cell.plus_ms
        if cell.above:
            figures.bound_ms += cell.above_factor * self._figure_of(cell.above)


def signature_ms(count: int = 300) -> float:
    """CPU of one RSA-2048 signature (RS256) by the library that the server uses."""
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256

    key = rsa.generate_private_key(65537, 2048)
    begun = time.process_time()
    for _ in range(count):
        key.sign(b"x" * 400, padding.PKCS1v15(), SHA256())
    return 1000 * (time.process_time() - begun) / count


def check_ms(count: int = 1000) -> float:
    """CPU of one ES256 verification by the library that the server uses."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    key = ec.generate_private_key(ec.SECP256R1())
    signature, public = key.sign(b"x" * 400, ec.ECDSA(SHA256())), key.public_key()
    begun = time.process_time()
    for _ in range(count):
        public.verify(signature, b"x" * 400, ec.ECDSA(SHA256()))
    return 1000 * (time.process_time() - begun) / count


def hash_ms(count: int = 15) -> float:
    """CPU of one argon2id verification with the server's parameters."""
    from argon2 import PasswordHasher

    hasher = PasswordHasher(2, 19456, 1)
    value = hasher.hash("x")
    begun = time.process_time()
    for _ in range(count):
        hasher.verify(value, "x")
    return 1000 * (time.process_time() - begun) / count
