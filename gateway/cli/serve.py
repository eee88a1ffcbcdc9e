"""hearth serve: run the server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo

from engines import registry
from engines.errors import EngineError
from gateway import stderr
from gateway.cli.herald import Herald
from gateway.cli.parser import Parser
from gateway.cli.reach import reach
from gateway.cli.sources import fault
from gateway.cli.terminal import Screen, Trouble
from gateway.settings import Settings, load
from gateway.spelling import option
from gateway.suggest import nearest

GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "what it serves": (
        "models",
        "preload",
        "keep_vllm",
        "cog_folder",
        "cog_variables",
        "boot_deadline_s",
        "durable_writes",
        "replicate_api_token",
    ),
    "where it listens": ("host", "port", "public_url"),
    "who may ask": ("admin_key", "open_access", "origins", "ticket_s", "state_file", "key"),
    "what it sends and fetches": ("private_networks", "webhook_s"),
    "what each key may use": ("requests_per_minute", "tokens_per_minute", "concurrent"),
    "what it gives again": ("cache", "cache_ttl_s", "cache_bytes"),
    "how long it waits": (
        "abandon_after_s",
        "keep_alive_s",
        "first_token_s",
        "engine_silence_s",
        "generation_s",
        "prediction_s",
        "reader_stall_s",
        "body_deadline_s",
        "drain_s",
    ),
    "how much it holds": (
        "max_running",
        "max_body_bytes",
        "prediction_bytes",
        "files",
        "file_bytes",
        "reader_lag_bytes",
        "generation_bytes",
        "keep_bytes",
        "keep_ended_s",
        "idempotency_s",
    ),
    "what it shares": ("workers", "redis_url", "lease_s"),
    "what it tells": ("log_level",),
}

_EPILOG: Final = """
models: NAME=ENGINE:SOURCE?knob=value&knob=value
  NAME is what callers put into `model`. Quote the whole for the shell. The engines are:

  vllm      a model on vLLM, in processes of its own. SOURCE is a folder, a model's name on Hugging Face, or `bundled`
            (the small one that comes along). Knobs are the options of `vllm serve`: max_model_len=8192, dtype=bfloat16,
            gpu_memory_utilization=0.8, enable_auto_tool_choice=true, tool_call_parser=hermes ...
  openai    a model of a server that speaks OpenAI's protocol: vllm serve, SGLang, TGI, llama.cpp, a hosted API. SOURCE
            is its base URL (http://10.0.0.1:8000/v1), or the name of a table [engine.NAME] of hearth.toml, which may
            hold a key and commands. Knobs: model=its own name of the model, connect_s, health_s, command_s.
  replicate a model hosted on Replicate, with REPLICATE_API_TOKEN. SOURCE is owner/name, owner/name:version, a
            version's id, or deployments/owner/name. Knobs: stays_warm_s=60, context_length=8192, url.
  cog       a predictor packaged with Cog. SOURCE is its folder, where cog.yaml lies: it runs here, in a Python
            environment of its own, without Docker; or the address of its container (http://10.0.0.1:5000). Knobs:
            python=an interpreter that has all it needs, env.NAME=a variable for it, concurrency=1, start_s=600.
  scripted  no model: numbered words by a script, for tests and load tests. No SOURCE. Knobs:
{knobs}

examples:
  hearth serve
  hearth serve --model 'qwen=vllm:Qwen/Qwen3-0.6B?max_model_len=8192' --host 0.0.0.0
  hearth serve --model 'llama=openai:http://10.0.0.1:8000/v1?model=meta/llama'
  hearth serve --model campfire=vllm:bundled --model 'demo=scripted:?prefill_ms=20&token_ms=5'

Every option is also an environment variable (--drain-s is HEARTH_DRAIN_S; HEARTH_MODELS holds several models with
blanks between) and a line of hearth.toml (drain_s = 20; models = ["campfire=vllm:bundled"]). The command line wins over
the environment, the environment over the file. docs/settings.md says what each does.
Three are tables of the file: [hardware] and [model.NAME], for prices, limits and caching of one model, and
[engine.NAME], for a server elsewhere.

Ctrl-C lets running answers end first; a second Ctrl-C does not wait for them.
"""


def main(words: Sequence[str]) -> int:
    """Run the server until a signal ends it."""
    given = vars(parser().parse_args(words))
    settings = load({name: value for name, value in given.items() if name != "config"}, given.get("config"))
    # Refused at once, and not by vLLM after it was imported.
    for written in settings.models:
        if told := fault(written, settings.upstreams, settings.workers):
            raise Trouble(told)
    for told in _idle_tables(settings):
        print(f"hearth serve: {told}", file=sys.stderr)
    stderr.configure(settings.log_level)
    # Last, since it takes longest: whoever mistyped an option need not wait for it.
    if settings.workers > 1:
        from gateway.supervisor import serve
    else:
        from gateway.server import serve

    settings, warnings = reach(settings)
    herald = Herald(settings, Screen(sys.stdout), warnings)
    try:
        serve(settings, herald)
    except EngineError as error:
        raise Trouble(error.message) from None
    except KeyboardInterrupt:
        # The signal that ended it, after everything was ended in order.
        return 0
    if herald.fault is not None:
        raise Trouble(herald.fault)
    return 0


def _idle_tables(settings: Settings) -> Iterator[str]:
    """What stands in the file for models that are not served, or for no model: a slip of the pen lifts limits."""
    served = [written.partition("=")[0] for written in settings.models]
    for name in settings.model:
        if name not in served:
            yield f"[model.{name}] is of no model that is served{nearest(name, served)}; it does nothing."
    sources = [registry.parse(written).source for written in settings.models]
    for name in settings.engine:
        if name not in sources:
            yield f"[engine.{name}] is no model's source; it does nothing."


def parser() -> argparse.ArgumentParser:
    """The options of `hearth serve`, made from the settings."""
    made = Parser(
        prog="hearth serve",
        usage="hearth serve [--model NAME=ENGINE:SOURCE?knob=value&...]... [OPTIONS]",
        description="Run the server: it listens at once, and the models load behind it.",
        epilog=_EPILOG.format(knobs="\n".join(_knobs())),
    )
    for title, names in GROUPS.items():
        group = made.add_argument_group(title)
        for name in names:
            _add(group, name, Settings.model_fields[name])
    made.add_argument_group("where all this may be written instead").add_argument(
        "--config", type=Path, metavar="FILE", help="A file of settings. (default: hearth.toml, if it is there)"
    )
    return made


def _add(group: Any, name: str, field: FieldInfo) -> None:
    told = f"{field.description} (default: {_default(field)})"
    if field.annotation is bool:
        group.add_argument(option(name), dest=name, action=argparse.BooleanOptionalAction, help=told)
    elif name == "models":
        group.add_argument(option(name), dest=name, action="append", metavar="MODEL", help=told)
    else:
        group.add_argument(option(name), dest=name, metavar=_unit(name), help=told)


def _unit(name: str) -> str:
    tail = name.rpartition("_")[2]
    return {"s": "SECONDS", "bytes": "BYTES", "running": "N", "workers": "N"}.get(tail, tail.upper())


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(value)
    if isinstance(value, int) and value >= 1 << 20:
        return f"{value}, which is {value >> 20} MiB"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _knobs() -> Iterator[str]:
    from msgspec import NODEFAULT
    from msgspec.structs import fields

    from engines.scripted.script import Script

    line = " " * 11
    for field in fields(Script):
        default = field.default if field.default not in (None, NODEFAULT) else "none"
        knob = f" {field.name}={str(default).lower()},"
        if len(line + knob) > 110:
            yield line
            line = " " * 11
        line += knob
    yield line.rstrip(",")
