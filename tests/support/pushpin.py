"""A real Pushpin, the GRIP proxy: it holds readers at the edge of a set-up."""

import contextlib
import shutil
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support import debian
from tests.support.daemon import ServiceMissingError, free_port, private_folder, running, wait

KEY = "the key of a proxy that lives for one test"
HOW_TO_INSTALL = (
    "Pushpin: install it, so that `pushpin` is on the PATH (Debian and Ubuntu: apt-get install "
    "pushpin)"
)
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
        with private_folder(None) as folder:
            for name in ("run", "log"):
                (folder / name).mkdir()
            (folder / "routes").write_text(f"* 127.0.0.1:{server_port}\n", "utf-8")
            places = {"folder": folder, "internal": INTERNAL, "key": KEY}
            ports = {"port": self.port, "control_port": self.control_port}
            config = folder / "pushpin.conf"
            config.write_text(CONFIG.format(**places, **ports), "utf-8")
            command = [program, "--config", str(config)]
            with running(command, folder, None, stop_signal=signal.SIGTERM) as check:
                for port in (self.port, self.control_port):
                    wait(lambda port=port: _connect(port), check)
                yield


def _connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), 2).close()


def find() -> str | None:
    """Return the path of the program."""
    return shutil.which("pushpin")


def install() -> str | None:
    """Install Debian's package where possible; return what find finds then."""
    if debian.can_install():
        debian.install("pushpin")
    return find()
