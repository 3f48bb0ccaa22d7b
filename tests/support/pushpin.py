"""A real Pushpin, the GRIP proxy: it holds readers at the edge of a set-up."""

import contextlib
import shutil
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx

from tests.support import debian
from tests.support.daemon import ServiceMissingError, free_port, private_folder, running, wait

KEY = "the key of a proxy that lives for one test"
HOW_TO_INSTALL = (
    "Pushpin: install it, so that `pushpin` is on the PATH (Debian and Ubuntu: apt-get install "
    "pushpin)"
)
# A path that no server of ours has.
PROBE = "/probe-of-the-proxy"
# Debian's place; the names of its inner sockets are there.
INTERNAL = Path("/usr/lib/pushpin/internal.conf")

# All sockets but the two that others connect to are files in the proxy's folder.
CONFIG = """
[global]
include={internal}
rundir={folder}/run
ipc_prefix=pushpin-
port_offset=0
[runner]
services=condure,zurl,pushpin-proxy,pushpin-handler
http_port=127.0.0.1:{port}
logdir={folder}/log
log_level=1
client_buffer_size=8192
client_maxconn=1000
condure_bin=condure
zurl_bin=zurl
[proxy]
routesfile={folder}/routes
sig_iss=test
sig_key={key}
updates_check=off
zurl_out_specs=ipc://{{rundir}}/{{ipc_prefix}}zurl-in
zurl_out_stream_specs=ipc://{{rundir}}/{{ipc_prefix}}zurl-in-stream
zurl_in_specs=ipc://{{rundir}}/{{ipc_prefix}}zurl-out
[handler]
push_in_spec=ipc://{{rundir}}/{{ipc_prefix}}push
push_in_sub_specs=ipc://{{rundir}}/{{ipc_prefix}}push-sub
push_in_http_addr=127.0.0.1
push_in_http_port={control_port}
command_spec=ipc://{{rundir}}/{{ipc_prefix}}command
stats_spec=ipc://{{rundir}}/{{ipc_prefix}}stats
message_rate=2500
message_hwm=25000
message_wait=5000
id_cache_ttl=60
connection_subscription_max=20
subscription_linger=60
"""


@dataclass(frozen=True)
class Pushpin:
    """Where a proxy will listen: for readers, and for what is published."""

    port: int
    control_port: int

    @classmethod
    def somewhere(cls) -> "Pushpin":
        """Return free ports for one."""
        return cls(free_port(), free_port())

    @property
    def url(self) -> str:
        """Return the readers' address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def grip_url(self) -> str:
        """Return the server's GRIP_URL."""
        return f"http://127.0.0.1:{self.control_port}?iss=test&key={KEY}"

    @contextlib.contextmanager
    def running(self, *, server_port: int) -> Iterator[None]:
        """Run the proxy before a server."""
        program = find()
        if program is None:
            raise ServiceMissingError(HOW_TO_INSTALL)
        with _holding() as probe_port, private_folder(None) as folder:
            for name in ("run", "log"):
                (folder / name).mkdir()
            routes = f"*,path_beg={PROBE} 127.0.0.1:{probe_port}\n* 127.0.0.1:{server_port}\n"
            (folder / "routes").write_text(routes, "utf-8")
            places = {"folder": folder, "internal": INTERNAL, "key": KEY}
            ports = {"port": self.port, "control_port": self.control_port}
            config = folder / "pushpin.conf"
            config.write_text(CONFIG.format(**places, **ports), "utf-8")
            command = [program, "--config", str(config)]
            with running(command, folder, None, stop_signal=signal.SIGTERM) as check:
                wait(self._hold_and_publish, check, passing=(httpx.HTTPError, NotServing))
                yield

    def _hold_and_publish(self) -> None:
        """Hold one reader and publish to it: only then do all of Pushpin's processes serve.

        Its ports are open earlier: a reader of that moment gets a 500.
        """
        with (
            httpx.Client(timeout=2) as client,
            client.stream("GET", f"{self.url}{PROBE}") as reader,
        ):
            if reader.status_code != httpx.codes.OK:
                raise NotServing(f"a reader was answered {reader.status_code}: {reader.read()!r}")
            item = {"channel": "probe", "formats": {"http-stream": {"content": "published"}}}
            publish = f"http://127.0.0.1:{self.control_port}/publish/"
            client.post(publish, json={"items": [item]}).raise_for_status()
            if next(reader.iter_text()) != "published":
                raise NotServing("a held reader got something else than what was published")


class NotServing(RuntimeError):
    """Pushpin answers, but it does not serve yet."""


class _Hold(BaseHTTPRequestHandler):
    """An origin that lets the proxy hold every reader."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Grip-Hold", "stream")
        self.send_header("Grip-Channel", "probe")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@contextlib.contextmanager
def _holding() -> Iterator[int]:
    """Serve that origin; give its port."""
    with HTTPServer(("127.0.0.1", 0), _Hold) as origin:
        thread = threading.Thread(target=origin.serve_forever, name="origin", daemon=True)
        thread.start()
        try:
            yield origin.server_address[1]
        finally:
            origin.shutdown()
            thread.join()


def find() -> str | None:
    """Return the path of the program."""
    return shutil.which("pushpin")


def install() -> str | None:
    """Install Debian's package where possible; return what find finds then."""
    if debian.can_install():
        debian.install("pushpin")
    return find()
