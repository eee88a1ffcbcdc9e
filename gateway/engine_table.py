"""An engine that runs elsewhere, as a table of hearth.toml: `[engine.NAME]`."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from engines.openai.upstream import Upstream


def _words(written: Any) -> Any:
    """A command as a list of words, or as one line in which quotes mean what they mean to a shell."""
    return tuple(shlex.split(written)) if isinstance(written, str) else written


def _posts(words: tuple[str, ...]) -> tuple[str, ...]:
    """A `POST` has a URL, and nothing else."""
    if words[:1] == ("POST",) and (len(words) != 2 or not words[1].startswith(("http://", "https://"))):
        raise ValueError("after POST there is one URL, as in POST http://10.0.0.1:9000/on")
    return words


Command = Annotated[tuple[str, ...], BeforeValidator(_words), AfterValidator(_posts)]


class EngineTable(BaseModel):
    """Each field is a line under `[engine.NAME]`: an OpenAI-compatible server, which models name as their source."""

    # What is wrong is told without what was written: it may hold a key.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = Field(description="Its base URL, which ends with /v1 as a rule.")
    model: str | None = Field(None, description="Its own name of the model; none where it serves a single one.")
    key: SecretStr | None = Field(
        None, description="The key that it wants; `$NAME` stands for what the environment has as NAME."
    )
    start: Command = Field(
        (), description="A command that starts it, run without a shell, or `POST URL`; none where it runs by itself."
    )
    stop: Command = Field(
        (),
        description="Likewise, to stop it; without one only a program that `start` left running is. "
        "Needed where `start` is a program and there is a Redis.",
    )
    connect_s: float = Field(5.0, gt=0, description="Seconds a connection may take.")
    health_s: float = Field(10.0, gt=0, description="Seconds between two looks at whether it is well.")
    command_s: float = Field(60.0, gt=0, description="Seconds that `stop`, or a `POST`, may take.")

    @property
    def starts_what_others_cannot_stop(self) -> bool:
        """Whether it is a program of the one replica that started it."""
        return bool(self.start) and self.start[0] != "POST" and not self.stop

    @property
    def upstream(self) -> Upstream:
        """The same, as the engines know it."""
        key = self.key.get_secret_value() if self.key is not None else None
        others = self.model_dump(exclude={"key"})
        return Upstream(key=key, **others)
