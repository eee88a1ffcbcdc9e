"""Renew uv.lock after a change of the dependencies in pyproject.toml: .venv/bin/python scripts/lock.py [uv's options]

Plain `uv lock` does it where PyTorch's index can be reached. Elsewhere this stands in for that index, on localhost and
with what uv.lock and the installed torch already say, so that everything but torch can be renewed.
"""

import re
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INDEX = "https://download.pytorch.org"
UV = ROOT / ".venv/bin/uv"


def wheels() -> list[tuple[str, str]]:
    """Path on the index and hash of each locked CPU build of torch."""
    return re.findall(rf'url = "{INDEX}(/whl/cpu/torch-[^"]+)", hash = "sha256:(\w+)"', (ROOT / "uv.lock").read_text())


class Index(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/whl/cpu/torch/":
            body = "".join(
                f'<a href="{path}#sha256={digest}" data-core-metadata="true">{path.rpartition("/")[2]}</a>'
                for path, digest in wheels()
            )
        elif self.path.endswith(".metadata"):
            body = distribution("torch").read_text("METADATA") or ""
        else:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None: ...


def main() -> int:
    options = sys.argv[1:]
    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server, tempfile.TemporaryDirectory() as folder:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}"
        for name in ("pyproject.toml", "uv.lock", "README.md", "LICENSE"):
            Path(folder, name).write_text((ROOT / name).read_text().replace(INDEX, here))
        code = subprocess.run([UV, "lock", *options], cwd=folder).returncode
        server.shutdown()
        if code == 0:
            (ROOT / "uv.lock").write_text(Path(folder, "uv.lock").read_text().replace(here, INDEX))
    return code


if __name__ == "__main__":
    sys.exit(main())
