"""A prediction as its caller sees it: a function of its record, its log and its version's schema. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engines.base import JSON
from gateway.events import Canceled, Failed, Finished, Terminal, Timings
from gateway.generation import State
from gateway.log.local import Log
from gateway.predictions.record import Ending, Record, Status
from gateway.wire.replicate.outputs import AddressOf, Form, Tale, form, outcome
from gateway.wire.replicate.timestamps import written

_LOST: Final = "The server no longer knows what became of this; create it again."


def created(record: Record, log: Log, stream_url: str | None = None) -> dict[str, Any]:
    """The answer to a create whose prediction has not ended, whatever it has said by then.

    A client takes what is not `starting` for final, and an output in it for one that it has seen.
    """
    return {
        **_known(record, stream_url),
        "status": "starting",
        "input": log.generation.asked,
        "output": None,
        "error": None,
        "logs": "",
        "metrics": {},
        "started_at": None,
        "completed_at": None,
        "data_removed": False,
    }


def begun(record: Record, log: Log, stream_url: str | None = None) -> dict[str, Any]:
    """A prediction as it was when its model began, whatever has come of it since."""
    started = ending(log).started if log.ended else log.generation.started
    return {
        **created(record, log, stream_url),
        "status": "processing",
        "started_at": None if started is None else written(started),
    }


def shown(
    record: Record,
    log: Log | None,
    document: Mapping[str, Any],
    address_of: AddressOf,
    stream_url: str | None = None,
    *,
    modern: bool = False,
) -> dict[str, Any]:
    """A prediction as it is now; without a log only what its record remembers.

    `document` is the OpenAPI document of its version. A client that is not `modern` knows no status `aborted`.
    """
    end = record.ending or (ending(log) if log is not None and log.ended else None)
    if end is None and log is None:
        end = Ending("failed", record.created, error=_LOST)
    running: Status = "processing" if log is not None and log.generation.state is State.RUNNING else "starting"
    status = end.status if end else running
    started = end.started if end else (log.generation.started if log is not None else None)
    return {
        **_known(record, stream_url),
        "status": "canceled" if status == "aborted" and not modern else status,
        "error": end.error if end else None,
        "started_at": None if started is None else written(started),
        "completed_at": written(end.completed) if end else None,
        **(_said(log, document, address_of, status) if log is not None else _REMOVED),
        **({"metrics": end.metrics} if end else {}),
    }


_REMOVED: Final = {"input": None, "output": None, "logs": None, "data_removed": True}


def _known(record: Record, stream_url: str | None) -> dict[str, Any]:
    """What does not change."""
    here = f"{record.address}/predictions/{record.id}"
    known: dict[str, Any] = {
        "id": record.id,
        "model": record.model,
        "version": record.version,
        "source": record.source,
        "created_at": written(record.created),
        "urls": {"get": here, "cancel": f"{here}/cancel", "web": here},
    }
    if stream_url is not None:
        known["urls"]["stream"] = stream_url
    if record.deployment is not None:
        known["deployment"] = record.deployment
    if record.deadline is not None:
        known["deadline"] = written(record.deadline)
    if record.hook is not None:
        known |= {"webhook": record.hook.url, "webhook_events_filter": list(record.hook.happenings)}
    return known


def _said(log: Log, document: Mapping[str, Any], address_of: AddressOf, status: Status) -> dict[str, Any]:
    """What is in the log."""
    tale = _tale(log, form(log.generation.prompt, document))
    output = tale.output(address_of)
    if output is None and status == "succeeded" and tale.form is not Form.ONE:
        output = []
    return {
        "input": log.generation.asked,
        "output": output,
        "logs": tale.logs,
        "metrics": tale.metrics,
        "data_removed": False,
    }


def _tale(log: Log, form: Form) -> Tale:
    """What a log has told; the same for all who ask between two appends."""
    start, stop = log.first, log.tail + 1
    return log.frame((Tale, form), start, stop, lambda: Tale(form, log.between(start, stop)))


def ending(log: Log) -> Ending:
    """How the prediction of an ended log ended."""
    end = log.between(log.tail, log.tail + 1)[0]
    assert isinstance(end, Finished | Failed | Canceled), "an ending is of a log that has ended"
    created, timings = log.generation.created, end.timings
    status, error = outcome(end)
    return Ending(
        status=status,
        completed=created + (timings.total or 0.0),
        started=None if timings.started is None else created + timings.started,
        error=error,
        metrics=_metrics(log, end, timings),
    )


def _metrics(log: Log, end: Terminal, timings: Timings) -> dict[str, JSON]:
    """Seconds and tokens, and whatever the model's program measured; that is right where both say something."""
    metrics: dict[str, JSON] = {}
    if timings.total is not None:
        metrics["total_time"] = timings.total
    if timings.started is not None and timings.total is not None:
        metrics["predict_time"] = ran = round(timings.total - timings.started, 6)
        if log.generation.prompt.inputs is None:
            metrics["input_token_count"] = end.usage.prompt_tokens
            metrics["output_token_count"] = end.usage.completion_tokens
            if ran > 0:
                metrics["tokens_per_second"] = round(end.usage.completion_tokens / ran, 3)
            if timings.first_token is not None:
                metrics["time_to_first_token"] = round(timings.first_token - timings.started, 6)
    return metrics | _tale(log, Form.ONE).metrics
