"""An application's own loopback web server: what browsers, and proxies, bring there is kept."""

import html
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Visit:
    """One request: `query` of its address, `form` of its body, header names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


class ClientSite:
    """Answers every address with a page that says `arrived`, on 127.0.0.1, which is another origin than localhost."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self._arrived = Condition()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                if parts.path == "/favicon.ico":
                    self.send_response(204)
                    self.end_headers()
                    return
                visit = Visit(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query, keep_blank_values=True)),
                    dict(parse_qsl(body, keep_blank_values=True)),
                    {name.lower(): value for name, value in self.headers.items()},
                )
                page = f'<!doctype html><title>application</title><p id="arrived">{html.escape(visit.method)}</p>'
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.send_header("content-length", str(len(page)))
                self.end_headers()
                self.wfile.write(page.encode())
                site._keep(visit)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.port = int(self._server.server_address[1])
        self.origin = f"http://127.0.0.1:{self.port}"
        self.redirect_uri = f"{self.origin}/cb"

    def wait_for(self, path: str, seconds: float = 10) -> Visit:
        """The last visit to `path`, which may still be on its way."""

        def found() -> list[Visit]:
            return [visit for visit in self.visits if visit.path == path]

        with self._arrived:
            assert self._arrived.wait_for(found, seconds), f"nobody came to {path}, only {self.visits}"
            return found()[-1]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _keep(self, visit: Visit) -> None:
        with self._arrived:
            self.visits.append(visit)
            self._arrived.notify_all()
