"""The command line: hearth serve."""

from __future__ import annotations

import argparse
import sys

from gateway.settings import Settings, load


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="hearth", description="A self-hosted streaming LLM gateway.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run the server")
    for name, field in Settings.model_fields.items():
        if name == "models":
            serve.add_argument("--model", action="append", dest="models", help=field.description)
        else:
            serve.add_argument("--" + name.replace("_", "-"), dest=name, help=field.description)
    arguments = parser.parse_args()
    given = {k: v for k, v in vars(arguments).items() if v is not None and k != "command"}
    settings = load(given)
    from gateway.server import serve as run

    run(settings)


if __name__ == "__main__":
    sys.exit(main())
