"""hearth push: make a Cog folder a version of a model, while the server runs."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gateway.catalog.archives import RECIPE, BadFolder, pack
from gateway.cli.caller import add_options, reach
from gateway.cli.parser import Parser
from gateway.cli.terminal import Screen, Trouble
from gateway.tables import OWNER_AND_NAME


def main(words: Sequence[str]) -> int:
    """Pack a folder, send it, and tell how it is called."""
    parser = Parser(
        prog="hearth push",
        description="Make a Cog folder the newest version of a model, in all replicas, while the server runs; with an "
        "admin key.",
        epilog="\nWhat .dockerignore, or else .gitignore, names is left out; links count as what they lead to.\n"
        "The server looks at the model before it takes it, and installs what that needs. Older versions\n"
        "stay until they are deleted; one that is pushed again is the newest.\n",
    )
    add_options(parser)
    parser.add_argument("folder", metavar="FOLDER", help="with a cog.yaml and a predict.py")
    parser.add_argument("model", metavar="OWNER/NAME", help="what Replicate's clients call it")
    given = parser.parse_args(words)
    folder = Path(given.folder)
    if not (folder / RECIPE).is_file():
        raise Trouble(f"{folder} holds no {RECIPE}: that makes a folder one of Cog's.")
    if not OWNER_AND_NAME.fullmatch(given.model):
        raise Trouble(f"{given.model!r} is no model; one reads acme/sdxl, in letters, digits and ._- alone.")
    caller, screen = reach(given.url, given.key), Screen(sys.stdout)
    with tempfile.TemporaryFile() as archive:
        try:
            count = pack(folder, archive)
        except BadFolder as error:
            raise Trouble(str(error), 1) from None
        except OSError as error:
            # One that becomes shorter while it is read has neither.
            raise Trouble(f"{error.filename or folder} cannot be read: {error.strerror or error}.", 1) from None
        size = archive.tell()
        archive.seek(0)
        screen.line(f"Sending {count} files ({size / 1e6:.1f} MB) to {caller.url}, which looks at the model then ...")
        version = caller.send(f"/replicate/v1/models/{given.model}/versions", archive, size)
    screen.line("\n".join(_lines(caller.url, given.model, str(version["id"]))))
    return 0


def _lines(url: str, model: str, version: str) -> list[str]:
    return [
        f"{model}:{version}",
        "",
        "It is the newest version, and boots when it is first asked:",
        f"  export REPLICATE_BASE_URL={url}/replicate REPLICATE_API_TOKEN=YOUR_KEY",
        f"  python -c 'import replicate; print(replicate.run(\"{model}\", input={{}}))'",
    ]
