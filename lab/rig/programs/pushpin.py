"""A real Pushpin, the GRIP proxy: it holds readers at the edge of a set-up."""

import contextlib
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx

from lab.rig.folders import temporary_folder
from lab.rig.ports import Port
from lab.rig.processes import NotServing, Process, clean_environment, serving
from lab.rig.programs import debian
from lab.rig.programs.services import ServiceMissing

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


class Pushpin:
    """A proxy: its address for readers, and its address for publishing."""

    def __init__(self) -> None:
        self._port = Port()
        self._control_port = Port()
        self.url = f"http://127.0.0.1:{self._port.number}"
        # The server's GRIP_URL, which it is started with before the proxy runs.
        self.grip_url = f"{self._control_url}?iss=test&key={KEY}"

    @contextlib.contextmanager
    def running(self, *, server_port: int) -> Iterator[None]:
        """Run the proxy before a server."""
        program = find()
        if program is None:
            raise ServiceMissing(HOW_TO_INSTALL)
        with _holding() as probe_port, temporary_folder() as folder:
            process = Process(
                "pushpin",
                [program, "--config", str(self._configure(folder, server_port, probe_port))],
                environment=clean_environment(),
                log=folder / "pushpin.log",
                probe=self._hold_and_publish,
                folder=folder,
            )
            with serving(process):
                yield

    def close(self) -> None:
        """Give the ports back."""
        self._port.release()
        self._control_port.release()

    @property
    def _control_url(self) -> str:
        return f"http://127.0.0.1:{self._control_port.number}"

    def _configure(self, folder: Path, server_port: int, probe_port: int) -> Path:
        for name in ("run", "log"):
            (folder / name).mkdir()
        routes = f"*,path_beg={PROBE} 127.0.0.1:{probe_port}\n* 127.0.0.1:{server_port}\n"
        (folder / "routes").write_text(routes, "utf-8")
        config = folder / "pushpin.conf"
        text = CONFIG.format(
            folder=folder,
            internal=INTERNAL,
            key=KEY,
            port=self._port.number,
            control_port=self._control_port.number,
        )
        config.write_text(text, "utf-8")
        return config

    def _hold_and_publish(self) -> None:
        """Hold a reader and publish to it: only then do all of Pushpin's processes serve.

        Its ports are open earlier: a reader of that moment gets a 500.
        """
        try:
            with httpx.Client(timeout=2) as client:
                self._hold_with(client)
        except httpx.HTTPError as exc:
            raise NotServing(repr(exc)) from exc

    def _hold_with(self, client: httpx.Client) -> None:
        with client.stream("GET", f"{self.url}{PROBE}") as reader:
            if reader.status_code != httpx.codes.OK:
                raise NotServing(f"a reader is answered {reader.status_code}: {reader.read()!r}")
            item = {"channel": "probe", "formats": {"http-stream": {"content": "published"}}}
            published = client.post(f"{self._control_url}/publish/", json={"items": [item]})
            published.raise_for_status()
            if next(reader.iter_text(), "") != "published":
                raise NotServing("a held reader gets something else than what is published")


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
    """Install Debian's package where possible; return the result of find then."""
    if debian.can_install():
        debian.install("pushpin")
    return find()
