"""The one table of errors: every code a caller can meet, on any surface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from engines.errors import EngineError


class Row(NamedTuple):
    """How one code looks from outside."""

    status: int
    type: str
    """OpenAI's error type."""
    close: int
    """WebSocket close code, where the error ends the socket."""
    may_retry: bool
    sentence: str
    """Said when nothing more precise is known; tells what to do."""


_BAD = "invalid_request_error"
_OUR = "server_error"

TABLE: Final[Mapping[str, Row]] = {
    "bad_json": Row(400, _BAD, 4400, False, "The body is not valid JSON in UTF-8."),
    "invalid_request": Row(400, _BAD, 4400, False, "The request is not valid."),
    "context_length_exceeded": Row(400, _BAD, 4400, False, "The prompt is longer than the model's context."),
    "bad_position": Row(400, _BAD, 4400, False, "A position is written epoch-offset, as in k3f9a2xq-17."),
    "bad_frame": Row(400, _BAD, 4400, False, "A frame is a JSON object with a known `t`; see docs/http.md."),
    "lane_in_use": Row(409, _BAD, 4409, False, "This lane is open already; choose another id."),
    "unknown_lane": Row(404, _BAD, 4400, False, "No such lane is open on this socket."),
    "too_many_lanes": Row(429, _BAD, 4429, True, "This socket has as many lanes as it may; detach one first."),
    "unauthorized": Row(401, "authentication_error", 4401, False, "Send a key: `Authorization: Bearer KEY`."),
    "forbidden": Row(403, "permission_error", 4403, False, "This key may not do that."),
    "foreign_origin": Row(403, _BAD, 4403, False, "A browser may open this only from a page of this server."),
    "foreign_host": Row(
        403, _BAD, 4403, False, "No key is set, so only localhost is answered: ask there, set a key, or `open_access`."
    ),
    "not_found": Row(404, _BAD, 4400, False, "There is nothing at this address."),
    "method_not_allowed": Row(405, _BAD, 4400, False, "This address does not take that method."),
    "unknown_model": Row(404, _BAD, 4400, False, "No such model is served here; GET /v1/models lists them."),
    "unknown_version": Row(422, _BAD, 4400, False, "No such version is served here; a model's versions are listed."),
    "unknown_prediction": Row(404, _BAD, 4400, False, "No such prediction is known here."),
    "unknown_deployment": Row(404, _BAD, 4400, False, "No such deployment is known here."),
    "name_taken": Row(409, _BAD, 4409, False, "There is one of that name already."),
    "broken_model": Row(422, _BAD, 4400, False, "The model cannot be looked at, so it is not served; mend it first."),
    "version_in_use": Row(409, _BAD, 4409, False, "A deployment runs this version; have it run another one first."),
    "training_unsupported": Row(422, _BAD, 4400, False, "Nothing is trained here; serve what was trained elsewhere."),
    "unknown_file": Row(404, _BAD, 4400, False, "No such file is kept here; uploads last 24 hours, outputs one."),
    "file_too_large": Row(413, _BAD, 1009, False, "The file is larger than this server takes."),
    "invalid_inputs": Row(422, _BAD, 4400, False, "The model does not take these inputs."),
    "unknown_generation": Row(404, _BAD, 4400, False, "No such generation is known here."),
    "epoch_mismatch": Row(409, _BAD, 4400, False, "The position is of another log; start again without one."),
    "trimmed": Row(410, _BAD, 4400, False, "Events at this position are no longer kept."),
    "expired": Row(410, _BAD, 4400, False, "This generation ended a while ago and its events are no longer kept."),
    "log_unavailable": Row(503, _OUR, 1013, True, "The log of this generation cannot be reached just now; try again."),
    "past_the_end": Row(416, _BAD, 4400, False, "The position lies past the newest event."),
    "body_too_large": Row(413, _BAD, 1009, False, "The body is larger than this server takes."),
    "headers_too_large": Row(431, _BAD, 1009, False, "The request's headers are larger than this server takes."),
    "request_timeout": Row(408, _BAD, 4408, True, "The body did not arrive in time."),
    "overloaded": Row(503, _OUR, 1013, True, "The server has as much work as it may hold; try again shortly."),
    "rate_limited": Row(429, "rate_limit_error", 4429, True, "This key has asked for as much as it may; wait a while."),
    "model_busy": Row(503, _OUR, 1013, True, "As many wait for this model as may; try again shortly."),
    "model_cold": Row(503, _OUR, 1013, True, "The model is not warm, and begins to be; come back later."),
    "budget_exceeded": Row(402, "insufficient_quota", 4402, False, "This key's budget does not suffice for that."),
    "not_cached": Row(504, _BAD, 4400, False, "No kept answer fits, and `only-if-cached` wants no other."),
    "unknown_key": Row(404, _BAD, 4400, False, "There is no such key."),
    "state_unavailable": Row(503, _OUR, 1013, True, "Keys or usage cannot be read just now; try again."),
    "draining": Row(503, _OUR, 1012, True, "The server is going down; connect again, from the last position."),
    "slow_reader": Row(503, _OUR, 4008, True, "The connection took too little; connect again, from the last position."),
    "boot_failed": Row(503, _OUR, 1013, True, "The model did not start."),
    "no_room": Row(503, _OUR, 1013, True, "What the model runs on has no room for it just now."),
    "engine_died": Row(503, _OUR, 1013, True, "The engine died while it answered."),
    "engine_failed": Row(500, _OUR, 1011, True, "The engine failed while it answered."),
    "prediction_failed": Row(500, _OUR, 1011, False, "The model's own program failed at this."),
    "engine_busy": Row(503, _OUR, 1013, True, "The engine has as much to do as it takes; try again shortly."),
    "engine_unreachable": Row(503, _OUR, 1013, True, "The engine cannot be reached just now; try again."),
    "upstream_budget": Row(
        503, _OUR, 1011, False, "The account that pays for this model has no credit left, or reached its limit."
    ),
    "cannot_continue": Row(503, _OUR, 1013, True, "The answer was interrupted and cannot be continued; ask again."),
    "engine_stalled": Row(504, _OUR, 1013, True, "The engine gave no token for too long."),
    "deadline_exceeded": Row(504, _OUR, 1013, True, "The answer took longer than `generation_s` allows."),
    "log_full": Row(500, _OUR, 1011, False, "The answer grew past what one generation may hold."),
    "canceled": Row(409, _BAD, 1000, False, "The generation was stopped."),
    "shared_run": Row(
        409, _BAD, 4409, False, "Others may follow this run too; it ends when the last leaves: close your connection."
    ),
    "idempotency_mismatch": Row(422, _BAD, 4400, False, "This Idempotency-Key is another request's; use a new one."),
    "read_only": Row(405, _BAD, 4400, False, "This stream is not written over HTTP; see `durable_writes`."),
    "stream_exists": Row(409, _BAD, 4400, False, "A stream of this name is there, and it is another kind of stream."),
    "stream_closed": Row(409, _BAD, 4400, False, "The stream is closed; nothing more can be appended."),
    "content_type_mismatch": Row(409, _BAD, 4400, False, "The body is not of the stream's content type."),
    "sequence_conflict": Row(409, _BAD, 4400, False, "`stream-seq` must be greater than the last one."),
    "sequence_gap": Row(409, _BAD, 4400, False, "`producer-seq` must be the one after the last one."),
    "stale_producer": Row(403, _BAD, 4400, False, "A newer life of this producer writes now."),
    "stream_full": Row(413, _BAD, 1009, False, "The stream holds as much as it may; go on in another one."),
    "lost_lease": Row(409, _OUR, 1012, True, "Another writer has taken this over; connect or ask again."),
    "bad_model_source": Row(400, _BAD, 4400, False, "A model is named NAME=ENGINE:SOURCE?knob=value&..."),
    "internal_error": Row(500, _OUR, 1011, True, "Something broke in the server; its log has the details."),
}


class HearthError(Exception):
    """Anything that a caller is told went wrong, by its code in the table.

    `details` are more facts for machines (epoch, earliest, tail ...); `parameter` is the field at fault, if one is;
    `retry_after_s` is when to come back, where that is known; `headers` are said by the answer over HTTP.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        parameter: str | None = None,
        retry_after_s: float | None = None,
        headers: Mapping[str, str] | None = None,
        **details: Any,
    ) -> None:
        self.row = TABLE[code]
        self.code = code
        self.message = message or self.row.sentence
        self.parameter = parameter
        self.retry_after_s = retry_after_s
        self.headers = headers or {}
        self.details = details
        super().__init__(f"{code}: {self.message}")


def from_engine(error: EngineError) -> HearthError:
    """What a caller is told of an engine's error."""
    return HearthError(error.code, error.message, parameter=error.parameter, retry_after_s=error.retry_after_s)
