"""The proxies of docs/deploy/proxy.md, run with the very configuration that is written there."""

import contextlib
import datetime as dt
import os
import re
import shutil
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab.rig.folders import temporary_folder
from lab.rig.ports import Port
from lab.rig.processes import ROOT, Process, clean_environment, probe_http, serving
from lab.rig.programs import debian
from lab.rig.programs.services import ServiceMissing

DOCS = ROOT / "docs/deploy/proxy.md"
# The name of the site and the places of the certificate in the docs.
SITE = "chat.example.org"
CERTIFICATES = f"/etc/ssl/{SITE}"
APACHE_MODULES = Path("/usr/lib/apache2/modules")
USED_MODULES = (
    *("mpm_event", "authz_core", "headers", "proxy", "proxy_http"),
    *("socache_shmcb", "ssl", "http2"),
)

HOW_TO_INSTALL = (
    "Proxies: install nginx, Apache and Caddy, so that `nginx`, `apache2` and `caddy` are on "
    "the PATH (Debian and Ubuntu: apt-get install nginx apache2-bin caddy)"
)
PACKAGES = {"nginx": "nginx", "apache": "apache2-bin", "caddy": "caddy"}
PROGRAMS = {"nginx": "nginx", "apache": "apache2", "caddy": "caddy"}


def find(kind: str) -> str | None:
    """Return the path of a proxy's program."""
    return shutil.which(PROGRAMS[kind], path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def find_all() -> str | None:
    """Return the path of one of the programs when all are there."""
    found = [find(kind) for kind in PROGRAMS]
    return found[0] if all(found) else None


def install_all() -> str | None:
    """Install Debian's packages where possible; return the result of find_all then."""
    if debian.can_install():
        debian.install(*(PACKAGES[kind] for kind in PROGRAMS if not find(kind)))
    return find_all()


def written(language: str) -> str:
    """Return the configuration that the docs give."""
    block = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    blocks: list[str] = block.findall(DOCS.read_text("utf-8"))
    assert len(blocks) == 1, f"{len(blocks)} configurations of {language} in {DOCS.name}"
    return blocks[0]


@contextlib.contextmanager
def proxy(kind: str, *, server_port: int, below: str = "") -> Iterator[str]:
    """Run a proxy before a running server; give the site's address, https://localhost:port.

    below: the path that nginx passes on, and no other.
    """
    program = find(kind)
    if program is None:
        raise ServiceMissing(HOW_TO_INSTALL)
    port = Port()
    url = f"https://localhost:{port.number}"
    with temporary_folder() as folder:
        _certify(folder)
        # Only the proxy that was started here has this certificate, and the server behind it
        # answers: then both serve.
        trusted = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
        command = _COMMANDS[kind](program, folder, port.number, server_port)
        if below:
            _serve_below(folder / "proxy.conf", below)
        process = Process(
            kind,
            command,
            environment=clean_environment(),
            log=folder / "proxy.log",
            probe=lambda: probe_http(f"{url}{below}/healthz", verify=trusted),
            folder=folder,
        )
        try:
            with serving(process):
                yield url
        finally:
            port.release()


def _nginx(program: str, folder: Path, port: int, server_port: int) -> list[str]:
    site = _placed(written("nginx"), folder, server_port).replace(
        "listen 443", f"listen 127.0.0.1:{port}"
    )
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{name}_temp_path {folder}/{name};\n" for name in names)
    user = "user root;\n" if os.geteuid() == 0 else ""
    _write(
        folder / "proxy.conf",
        f"daemon off;\n{user}pid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{places}{site}}}\n",
    )
    return [program, "-e", "stderr", "-p", str(folder), "-c", str(folder / "proxy.conf")]


def _serve_below(config: Path, path: str) -> None:
    """Change nginx's configuration in the two lines that docs/deploy/proxy.md names."""
    text = config.read_text("utf-8")
    for written_there, changed in (
        ("location / {", f"location {path}/ {{"),
        ("location ~ ^/(", f"location ~ ^{path}/("),
    ):
        assert text.count(written_there) == 1
        text = text.replace(written_there, changed)
    _write(config, text)


def _apache(program: str, folder: Path, port: int, server_port: int) -> list[str]:
    site = _placed(written("apache"), folder, server_port).replace("*:443", f"127.0.0.1:{port}")
    modules = "".join(
        f"LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so\n" for name in USED_MODULES
    )
    _write(
        folder / "proxy.conf",
        f"ServerRoot {folder}\nDefaultRuntimeDir {folder}\nPidFile {folder}/pid\n"
        f"ErrorLog /dev/stderr\nServerName localhost\n{modules}"
        f"Listen 127.0.0.1:{port}\n{site}",
    )
    return [program, "-D", "FOREGROUND", "-f", str(folder / "proxy.conf")]


def _caddy(program: str, folder: Path, port: int, server_port: int) -> list[str]:
    # Its own certificate would come from the net.
    site = _placed(written("caddyfile"), folder, server_port).replace(
        "localhost {",
        f"https://localhost:{port} {{\n    bind 127.0.0.1\n"
        f"    tls {folder}/fullchain.pem {folder}/privkey.pem",
        1,
    )
    options = (
        f"{{\n    admin off\n    storage file_system {folder}\n"
        "    auto_https disable_redirects\n    servers {\n        protocols h1 h2\n    }\n}\n"
    )
    _write(folder / "Caddyfile", options + site)
    # It keeps its last configuration where the user's are.
    at_home = ["env", f"XDG_CONFIG_HOME={folder}", f"XDG_DATA_HOME={folder}"]
    config = ["--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    return [*at_home, program, "run", *config]


_COMMANDS: dict[str, Callable[[str, Path, int, int], list[str]]] = {
    "nginx": _nginx,
    "apache": _apache,
    "caddy": _caddy,
}


def _placed(site: str, folder: Path, server_port: int) -> str:
    """Return a written configuration for this machine: its names, ports and files."""
    return (
        site.replace(CERTIFICATES, str(folder))
        .replace(SITE, "localhost")
        .replace("127.0.0.1:8000", f"127.0.0.1:{server_port}")
    )


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _certify(folder: Path) -> None:
    """Write a certificate for localhost, and its key, that are good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
