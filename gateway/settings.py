"""Everything a user can set. The only file that reads the environment or hearth.toml."""

from __future__ import annotations

import os
import pickle
import re
import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from engines.cog import surroundings
from engines.openai.upstream import Upstream
from engines.porter import Porter
from engines.registry import Predictors
from gateway.engine_table import EngineTable
from gateway.files.place import open_store
from gateway.keys import Sharing
from gateway.redis.address import Address
from gateway.spelling import PREFIX, Given, sentence, variable
from gateway.suggest import nearest
from gateway.tables import ModelTable, check_budgets, check_devices, check_fallbacks

FILE: Final = Path("hearth.toml")
"""Read where the server is started, if it is there."""

_ORIGIN: Final = re.compile(r"\*|([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([1-9]\d{0,4}))?", re.ASCII)
_PUBLIC: Final = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[!-~]*)?", re.ASCII)
_PORTS: Final = {"http": "80", "https": "443"}

_VARIABLE: Final = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TOKEN: Final = re.compile(r"[!-~]+", re.ASCII)
"""What can be sent as a token in a header."""

_CUSTOMARY: Final = {"redis_url": "REDIS_URL", "replicate_api_token": "REPLICATE_API_TOKEN"}
"""Variables that others gave a name; our own spelling wins."""


class SettingsError(Exception):
    """Settings that cannot be. The message says which, where each was given, and what to do."""


class Settings(BaseSettings):
    """Each field is an option (`--port`), a variable (`HEARTH_PORT`) and a line of hearth.toml (`port = 8000`).

    The command line wins over the environment, the environment over the file.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", toml_file=FILE, frozen=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every network this machine is on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 lets the system choose one.")
    models: Annotated[tuple[str, ...], NoDecode] = Field(
        ("campfire=vllm:bundled",),
        description="A model to serve, as NAME=ENGINE:SOURCE?knob=value&...; may be given more than once.",
    )
    preload: bool = Field(True, description="Boot the models at start; else each boots with its first request.")
    keep_vllm: bool = Field(
        True, description="Keep vLLM imported while every model is cold; else a boot after that imports it again."
    )
    cog_folder: Path = Field(
        Path("~/.cache/hearth/cog"), description="Where the environments of Cog's predictors are kept."
    )
    cog_variables: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Environment variables that Cog's predictors are told besides those of the GPU, as HF_TOKEN."
    )
    boot_deadline_s: float = Field(900.0, gt=0, description="Seconds a model may take to boot.")
    durable_writes: bool = Field(
        False, description="Let remote producers create and write streams over HTTP (Durable Streams)."
    )
    replicate_api_token: SecretStr | None = Field(
        None,
        description="The key to models on Replicate. The list of processes shows it: use REPLICATE_API_TOKEN.",
    )
    abandon_after_s: float = Field(
        30.0, ge=0, description="Seconds a resumable generation goes on with nobody reading it."
    )
    keep_alive_s: float = Field(15.0, gt=0, description="Seconds of silence on a stream before a keep-alive comment.")
    first_token_s: float = Field(
        120.0, gt=0, description="Seconds an engine may take to its first token before another is asked."
    )
    engine_silence_s: float = Field(
        120.0, gt=0, description="Seconds between two tokens after which an engine counts as stalled."
    )
    generation_s: float | None = Field(None, gt=0, description="Seconds a generation may take in all; none: any time.")
    prediction_s: float = Field(1800.0, gt=0, description="Seconds a predictor may run, however silent it is.")
    reader_stall_s: float = Field(30.0, gt=0, description="Seconds one write may take before its reader is cut.")
    reader_lag_bytes: int = Field(1 << 20, gt=0, description="Bytes a stalled reader may fall behind before it is cut.")
    drain_s: float = Field(20.0, ge=0, description="Seconds that running generations get to end when the server stops.")
    max_running: int = Field(4096, gt=0, description="Generations at once; more are refused with 503.")
    max_body_bytes: int = Field(4 << 20, gt=0, description="Largest request body.")
    prediction_bytes: int = Field(
        64 << 20, gt=0, description="Largest request body of a prediction: files may stand in it."
    )
    body_deadline_s: float = Field(20.0, gt=0, description="Seconds a request's headers or body may take to arrive.")
    keep_ended_s: float = Field(600.0, ge=0, description="Seconds an ended generation can still be read.")
    keep_bytes: int = Field(512 << 20, gt=0, description="Bytes of generations held; the oldest ended ones go first.")
    generation_bytes: int = Field(
        8 << 20, gt=0, description="Bytes one generation may hold before it fails as log_full."
    )
    idempotency_s: float = Field(86400.0, gt=0, description="Seconds an Idempotency-Key is remembered.")
    workers: int = Field(1, ge=1, le=256, description="Processes that answer connections, on one port.")
    redis_url: SecretStr | None = Field(
        None, description="The Redis that several servers share, as redis://HOST:PORT; none for a server by itself."
    )
    lease_s: float = Field(
        10.0, gt=0, description="Seconds after which a silent replica's generations are taken over by another."
    )
    admin_key: SecretStr | None = Field(
        None,
        description="A key that may do everything, /admin too. The list of processes shows it: use HEARTH_ADMIN_KEY.",
    )
    open_access: bool = Field(
        False, description="Answer everybody without a key, on any address: something in front checks who asks."
    )
    origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Web pages of other sites that may ask, as https://chat.example.com; * for all."
    )
    public_url: str | None = Field(
        None, description="How the server is called from outside, as https://gw.example.com; none: as each caller did."
    )
    private_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Private networks that webhooks and inputs may lead to, as 10.0.0.0/8; else none may."
    )
    webhook_s: float = Field(
        120.0, ge=0, description="Seconds for which a webhook that does not hear of a prediction's end is called again."
    )
    ticket_s: float = Field(60.0, gt=0, le=3600, description="Seconds a ticket is good for.")
    state_file: Path = Field(
        Path("hearth.db"), description="Where keys and usage are kept when there is no Redis; made when first needed."
    )
    key: SecretStr | None = Field(
        None,
        description="The key that `hearth chat` and the other commands send. The list of processes shows it: "
        "use HEARTH_KEY.",
    )
    files: str = Field(
        "hearth-files", description="Where files are kept: a folder, or s3://BUCKET/PREFIX, gs://..., az://..."
    )
    file_bytes: int = Field(100_000_000, gt=0, description="Largest file.")
    cache: Sharing = Field("deterministic", description="Which answers may be given again: off, deterministic or all.")
    cache_ttl_s: float = Field(3600.0, gt=0, description="Seconds an answer may be given again.")
    cache_bytes: int = Field(256 << 20, ge=0, description="Bytes of answers kept to be given again.")
    requests_per_minute: int | None = Field(None, gt=0, description="Requests of each key without its own limit.")
    tokens_per_minute: int | None = Field(
        None, gt=0, description="Tokens, in and out, of each key that has no limit of its own."
    )
    concurrent: int | None = Field(
        None, gt=0, description="Generations at once of each key that has no limit of its own."
    )
    hardware: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {}, description="Kinds of machines by name, each with what a second of it costs."
    )
    engine: dict[str, EngineTable] = Field(
        {}, description="OpenAI-compatible servers that models name as their source: tables `[engine.NAME]`."
    )
    model: dict[str, ModelTable] = Field({}, description="What is set for one model: tables `[model.NAME]`.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is logged: debug, info, warning or error."
    )

    @field_validator("models", "origins", "private_networks", "cog_variables", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        # In an environment variable several models are separated by blanks: commas may stand in knobs.
        return tuple(value.split()) if isinstance(value, str) else value

    @field_validator(
        "redis_url",
        "admin_key",
        "key",
        "generation_s",
        "public_url",
        "replicate_api_token",
        "requests_per_minute",
        "tokens_per_minute",
        "concurrent",
        mode="before",
    )
    @classmethod
    def _none(cls, value: Any) -> Any:
        # TOML has no other way to write that there is none.
        return value or None

    @field_validator("redis_url")
    @classmethod
    def _names_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            address = Address.parse(value.get_secret_value())
            for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
                if name in address.options and not Path(str(address.options[name])).is_file():
                    raise ValueError(f"There is no file {address.options[name]}, which {name} names")
        return value

    @field_validator("replicate_api_token")
    @classmethod
    def _is_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("A token is visible letters without blanks; this one holds others")
        return value

    @field_validator("private_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for written in value:
            ip_network(written)
        return value

    @field_validator("files")
    @classmethod
    def _is_store(cls, value: str) -> str:
        if "://" in value:
            open_store(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and not _PUBLIC.fullmatch(value):
            raise ValueError("An address reads https://gw.example.com, with no query")
        return value

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_origin, value))

    @field_validator("engine")
    @classmethod
    def _has_keys(cls, value: dict[str, EngineTable], info: ValidationInfo) -> dict[str, EngineTable]:
        for name, table in value.items():
            if info.data.get("redis_url") is not None and table.starts_what_others_cannot_stop:
                raise ValueError(
                    f"[engine.{name}] has a start command and no stop: "
                    "with redis_url another replica may have to stop it."
                )
        return {name: table.model_copy(update={"key": _key(name, table.key)}) for name, table in value.items()}

    @field_validator("model")
    @classmethod
    def _names_hardware(cls, value: dict[str, ModelTable], info: ValidationInfo) -> dict[str, ModelTable]:
        prices = info.data.get("hardware", {})
        for name, table in value.items():
            if table.hardware is not None and table.hardware not in prices:
                raise ValueError(
                    f"[model.{name}] names the hardware {table.hardware!r}, which has no line under [hardware]"
                    f"{nearest(table.hardware, prices)}."
                )
        return value

    @field_validator("model")
    @classmethod
    def _fits_the_others(cls, value: dict[str, ModelTable], info: ValidationInfo) -> dict[str, ModelTable]:
        models = info.data.get("models", ())
        check_fallbacks(value, [written.partition("=")[0] for written in models])
        check_devices(value, models, info.data.get("workers", 1), replicated=bool(info.data.get("redis_url")))
        check_budgets(value, info.data.get("hardware", {}))
        return value

    def predictors(self, porter: Porter | None = None) -> Predictors:
        """How Cog's predictors are kept here; the porter carries their files."""
        told = surroundings.passed(os.environ, self.cog_variables)
        return Predictors(self.cog_folder, told, surroundings.installing(os.environ), porter)

    @property
    def upstreams(self) -> dict[str, Upstream]:
        """The engines elsewhere that models may name as their source."""
        return {name: table.upstream for name, table in self.engine.items()}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        customary = {field: os.environ[name] for field, name in _CUSTOMARY.items() if os.environ.get(name)}
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, customary),
            TomlConfigSettingsSource(settings_cls),
        )


def load(overrides: Mapping[str, Any], file: Path | None = None) -> Settings:
    """The settings in force: `overrides` over the environment over the file over the defaults. Raises SettingsError."""
    path = file or FILE
    if file is not None and not file.is_file():
        raise SettingsError(f"There is no settings file {file}; hearth.example.toml shows one.")
    # Which file to read is known to the class alone.
    where = type("Settings", (Settings,), {"model_config": SettingsConfigDict(toml_file=path)}) if file else Settings
    try:
        settings = where(**overrides)
    except ValidationError as error:
        given = Given(overrides, path, {name.upper() for name in os.environ}, _CUSTOMARY, Settings.model_fields)
        raise SettingsError("\n".join(sentence(fault, given) for fault in error.errors())) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}. A line reads `port = 8000`.") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    assert isinstance(settings, Settings)
    return settings


def pack(settings: Settings) -> bytes:
    """All of them, secrets too, for a process of our own."""
    return pickle.dumps(dict(settings))


def unpack(packed: bytes) -> Settings:
    """What `pack` was given. They were checked there, and neither the environment nor a file is asked again."""
    return Settings.model_construct(**pickle.loads(packed))


def strangers() -> list[str]:
    """Variables in the environment that look like settings and are none, each with a guess at what was meant."""
    known = {variable(name) for name in Settings.model_fields}
    given = (name.upper() for name in os.environ)
    return [name + nearest(name, known) for name in given if name.startswith(PREFIX) and name not in known]


def _origin(written: str) -> str:
    """As browsers send it: in small letters, and without the port that goes without saying. Raises ValueError."""
    match = _ORIGIN.fullmatch(written.lower())
    if match is None:
        raise ValueError(f"{written!r} is no origin; one reads https://chat.example.com, without a path. * is for all.")
    scheme, host, port = match.groups()
    if scheme is None:
        return "*"
    return f"{scheme}://{host}" + (f":{port}" if port not in (None, _PORTS.get(scheme)) else "")


def _key(engine: str, written: SecretStr | None) -> SecretStr | None:
    """A key as it is sent: `$NAME` is one that the environment has. Raises ValueError where it has none."""
    key = written.get_secret_value() if written is not None else ""
    if _VARIABLE.fullmatch(key):
        name, key = key, os.environ.get(key[1:], "")
        if not key:
            raise ValueError(f"[engine.{engine}] names the key {name}, which the environment does not have.")
    if key and not _TOKEN.fullmatch(key):
        raise ValueError(f"[engine.{engine}] has a key that is none: one is visible letters without blanks.")
    return SecretStr(key) if key else None
