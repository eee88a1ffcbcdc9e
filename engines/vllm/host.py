"""The engine host: the process that holds vLLM's async engine and speaks with gateways over Unix sockets.

What leans on vLLM's insides stands here, in `booting`, `shortcuts`, `stepping`, `metering`, `telling` and `continuing`;
vLLM is pinned, and tests/engines/vllm runs each of them. Here it is the collector that `add_request` returns: its `put`
is replaced, so that outputs are pushed, one batch for each step of the engine, with no task for each request.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import secrets
import socket
import traceback
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import uvloop
from vllm.envs import enable_envs_cache
from vllm.outputs import RequestOutput
from vllm.platforms import current_platform
from vllm.renderers.online_renderer import OnlineRenderer
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError

from engines.base import Accepted, Delta, Prompt
from engines.errors import EngineError
from engines.vllm import resting, wire
from engines.vllm.booting import boot, parse, renderer
from engines.vllm.continuing import Continuing
from engines.vllm.deltas import Deltas
from engines.vllm.embedding import Embedding
from engines.vllm.faults import first_line, sentence
from engines.vllm.guests import OWNER, Guests
from engines.vllm.lane import Lane
from engines.vllm.metering import Metering
from engines.vllm.rendering import REFUSALS, Job, Rendering, parameters, refusal
from engines.vllm.stepping import Stepping
from engines.vllm.version import version_of

_BEHIND_THE_CORE = 5
_UNREAD_BYTES = 64 << 20


def run(path: str, name: str, source: str, knobs: Mapping[str, str], sleeps: bool) -> int:
    """Boot vLLM, serve the gateway at that socket, and return the exit status."""
    link = socket.socket(socket.AF_UNIX)
    link.connect(path)
    last_words = link.dup()

    def report(stage: str) -> None:
        link.sendall(wire.pack(wire.Progress(stage)))

    def fail(error: Exception) -> None:
        told = error if isinstance(error, EngineError) else EngineError("boot_failed", sentence(error, source))
        # The first one counts: what follows are its consequences, and nobody may be listening to them.
        with contextlib.suppress(OSError):
            last_words.sendall(wire.pack(wire.Died(told.code, told.message)))

    try:
        report("reading the model's configuration")
        arguments = parse(name, source, knobs, sleeps)
        engine = boot(arguments, report, fail)
        if current_platform.is_cpu():
            # The engine core computes on the same cores, and everybody waits for it: its step comes first.
            os.nice(_BEHIND_THE_CORE)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(engine, arguments, knobs, link))
        return 0
    except Exception as error:  # noqa: BLE001
        # The border of the process: whatever broke, the gateway is told in one sentence, and the log has the rest.
        if not isinstance(error, EngineError):
            traceback.print_exc()
        fail(error)
        return 1


async def _serve(engine: AsyncLLM, arguments: Any, knobs: Mapping[str, str], link: socket.socket) -> None:
    made = renderer(engine, arguments)
    rendering = Rendering(made, arguments.served_model_name[0])
    stepping, continuing = Stepping(engine.output_processor), Continuing(engine.output_processor)
    metering = Metering(engine)
    embedding = Embedding(engine) if engine.model_config.runner_type == "pooling" else None
    guests = Guests(lambda number: Host(engine, rendering, stepping, metering, continuing, embedding, guests, number))
    link.setblocking(False)
    owner = await guests.seat(link)
    owner.say(wire.Progress("warming up the chat template"))
    made.warmup()
    owner.say(wire.Progress("decoding a first token" if embedding is None else "computing a first vector"))
    await owner.warm()
    # Its front end reads environment variables for every token; from here on none of them changes.
    enable_envs_cache()
    # Without this, full collections of what start-up left behind stall every stream for a third of a second.
    gc.collect()
    gc.freeze()
    guests.open(
        wire.Ready(
            engine.model_config.max_model_len,
            parameters() if embedding is None else embedding.parameters,
            embedding is None and _has_chat_template(engine, made),
            embedding is not None,
            _version(engine, arguments, knobs),
            rendering.chat_defaults,
            rendering.text_defaults,
        )
    )
    try:
        await guests.over.wait()
    finally:
        engine.shutdown()


def _has_chat_template(engine: AsyncLLM, renderer: OnlineRenderer) -> bool:
    tokenizer: Any = engine.renderer.get_tokenizer()
    return bool(renderer.chat_template or getattr(tokenizer, "chat_template", None)) or renderer.use_harmony


def _version(engine: AsyncLLM, arguments: Any, knobs: Mapping[str, str]) -> str | None:
    config: Any = engine.model_config
    commit = getattr(config.hf_config, "_commit_hash", None)
    return version_of(arguments.model, commit, knobs, (str(config.dtype), current_platform.device_name))


class Host(asyncio.Protocol):
    """One gateway's other end. Outputs are pushed here by the engine, gathered, and sent once for each step."""

    def __init__(
        self,
        engine: AsyncLLM,
        rendering: Rendering,
        stepping: Stepping,
        metering: Metering,
        continuing: Continuing,
        embedding: Embedding | None,
        guests: Guests,
        number: int,
    ) -> None:
        self._engine = engine
        self._rendering = rendering
        self._stepping = stepping
        self._metering = metering
        self._continuing = continuing
        self._embedding = embedding
        self._guests = guests
        self._number = number
        self._lanes: dict[int, Lane] = {}
        self._tasks = guests.tasks
        self._chunks: list[tuple[int, Accepted | Delta]] = []
        self._split = wire.Splitter()
        self._decode = wire.to_host().decode
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._guests.gone(self._number)

    def leave(self) -> None:
        """Stop everything that this gateway asked for."""
        for number in list(self._lanes):
            self._abort(number)

    def data_received(self, data: bytes) -> None:
        for body in self._split.feed(data):
            message = self._decode(body)
            match message:
                case wire.Start() | wire.Embed():
                    self._lanes[message.lane] = Lane(self._spawn(self._run(message)))
                case wire.Abort():
                    self._abort(message.lane)
                case wire.AskMetrics():
                    self.say(wire.Metrics(self._metering.text()))
                case wire.Greet():
                    self._spawn(self._guests.greet(message.path))
                case wire.Sleep() | wire.Wake():
                    self._spawn(self._settle(message))
                case wire.Stop():
                    self._guests.over.set()

    def say(self, message: wire.FromHost) -> None:
        """Send a message, after every chunk that was given before it; nothing happens when nobody is there any more."""
        self._flush()
        if self._transport is not None:
            self._transport.write(wire.pack(message))

    async def warm(self) -> None:
        """Decode one token, or compute one vector. Raises whatever keeps the engine from it."""
        if self._embedding is not None:
            await self._embedding.embed("warm", Prompt(texts=((0,),)), [])
            return
        rendered = await self._rendering.render(Prompt(texts=((0,),), parameters={"max_tokens": 1}))
        job = rendered.jobs[0]
        async for _ in self._engine.generate(job.engine_input, job.sampling, "warm"):
            pass

    async def _settle(self, message: wire.Sleep | wire.Wake) -> None:
        fault = None
        try:
            if isinstance(message, wire.Sleep):
                await resting.put_to_sleep(self._engine, message.level)
            else:
                await resting.wake(self._engine, message.level)
                await self.warm()
        except Exception as error:  # noqa: BLE001
            # An engine that cannot do this is ended by its owner, who is told why; the log has the rest.
            traceback.print_exc()
            fault = first_line(error)
        self.say(wire.Settled(fault))

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self, message: wire.Start | wire.Embed) -> None:
        number = message.lane
        try:
            await (self._start(message) if isinstance(message, wire.Start) else self._embed(message))
        except EngineDeadError:
            self._guests.died()
        except (*REFUSALS, EngineError) as error:
            self._fail(number, refusal(error))
        except Exception as error:  # noqa: BLE001
            # One prompt must not take the host along, whatever it met inside vLLM.
            traceback.print_exc()
            self._fail(number, EngineError("engine_failed", first_line(error)))

    async def _start(self, asked: wire.Start) -> None:
        number, lane = asked.lane, self._lanes[asked.lane]
        rendered = await self._rendering.render(asked.prompt)
        deltas = Deltas(rendered)
        if asked.said:
            first, jobs = self._continuing.plan(rendered, deltas, asked.said)
        else:
            first, jobs = [Delta(choice, text) for choice, text in rendered.echo()], rendered.jobs
        lane.count(rendered.prompt_tokens, len(jobs))
        self._give(number, Accepted(rendered.prompt_tokens))
        for delta in first:
            self._give(number, delta)
        if deltas.ended:
            del self._lanes[number]
        for job in jobs:
            # Noted before it is added: an abort may come while the engine is still taking it. An answer that was
            # interrupted may go on while its older requests are still being aborted, by their names.
            lane.requests.append(f"{asked.id}-{job.choice}-{secrets.token_hex(4)}")
            await self._add(number, lane.requests[-1], deltas, job)

    async def _embed(self, asked: wire.Embed) -> None:
        if self._embedding is None:
            raise EngineError("invalid_request", "This model answers, and makes no embeddings.", parameter="model")
        embeddings = await self._embedding.embed(asked.id, asked.prompt, self._lanes[asked.lane].requests)
        del self._lanes[asked.lane]
        self.say(wire.Embedded(asked.lane, embeddings))

    async def _add(self, number: int, id: str, deltas: Deltas, job: Job) -> None:
        if job.detokenizer is not None:
            self._continuing.expect(id, job.detokenizer)
        try:
            collector: Any = await self._engine.add_request(id, job.engine_input, job.sampling, **job.options)
        finally:
            self._continuing.forget(id)

        def put(output: RequestOutput | Exception) -> None:
            self._put(number, job, deltas, output)

        collector.put = put
        # The engine may have answered before the collector was ours.
        if early := collector.get_nowait():
            put(early)
        if deltas.are_plain:
            self._stepping.shorten(collector.request_id, job.sampling, partial(self._give_token, number, job.choice))

    def _give_token(self, number: int, choice: int, text: str, token: int) -> None:
        if number in self._lanes:
            self._give(number, Delta(choice, text, (token,)))

    def _put(self, number: int, job: Job, deltas: Deltas, output: Any) -> None:
        """Called by the engine for each of its outputs, in its own loop: it must not raise."""
        lane = self._lanes.get(number)
        if lane is None:
            return
        try:
            if isinstance(output, EngineDeadError):
                self._guests.died()
                return
            if isinstance(output, Exception):
                raise output
            if accepted := lane.cached(job, output):
                self._give(number, accepted)
            for delta in deltas.read(job, output):
                self._give(number, delta)
            if deltas.ended:
                del self._lanes[number]
        except EngineError as error:
            self._fail(number, error)
        except Exception as error:  # noqa: BLE001
            # A parser that chokes on what the model said must not stop the other lanes.
            traceback.print_exc()
            self._fail(number, EngineError("engine_failed", first_line(error)))

    def _give(self, number: int, chunk: Accepted | Delta) -> None:
        if not self._chunks:
            self._loop.call_soon(self._flush)
        self._chunks.append((number, chunk))

    def _flush(self) -> None:
        if self._chunks and self._transport is not None:
            chunks, self._chunks = self._chunks, []
            self._transport.write(wire.pack(wire.Step(chunks)))
            if self._number != OWNER and self._transport.get_write_buffer_size() > _UNREAD_BYTES:
                # A gateway that stands still must not fill the memory that the others live from.
                self._transport.abort()

    def _abort(self, number: int) -> None:
        lane = self._lanes.pop(number, None)
        if lane is not None:
            lane.task.cancel()
            if lane.requests:
                self._spawn(self._engine.abort(lane.requests))

    def _fail(self, number: int, error: EngineError) -> None:
        self._abort(number)
        self.say(wire.Failed(number, error.code, error.message, error.parameter))
