"""What a predictor's server tells, as chunks."""

from __future__ import annotations

from typing import Any

import pytest

from engines.base import UNTOLD, Chunk, Delta, LogLine, Measured, Output
from engines.cog.answers import Answer, failure
from engines.cog.document import Gives, read
from engines.cog.process import spoken
from engines.cog.server import Busy, Ended, Event, refusal
from engines.errors import EngineError


def told(answer: Answer, *events: tuple[str, dict[str, Any]]) -> list[Chunk]:
    return [chunk for name, data in events for chunk in answer.read(Event(name, data))]


def done(**more: Any) -> tuple[str, dict[str, Any]]:
    return "completed", {"id": "p", "status": "succeeded", **more}


def output(value: Any) -> tuple[str, dict[str, Any]]:
    return "output", {"chunk": value, "index": 0}


def test_values_of_an_iterator_are_outputs_of_their_own() -> None:
    chunks = told(Answer(Gives.EACH), output("a"), output("b"), done(output=["a", "b"]))
    assert chunks == [Output("a"), Output("b"), Delta(0, finish="stop")]


def test_a_list_is_one_output_and_what_is_no_list_stays_as_it_is() -> None:
    assert told(Answer(Gives.LIST), output("a"), done(output=["a"])) == [Output(["a"]), Delta(0, finish="stop")]
    assert told(Answer(Gives.ONE), output({"a": 1}), done(output=[{"a": 1}])) == [
        Output({"a": 1}),
        Delta(0, finish="stop"),
    ]


def test_what_was_not_streamed_comes_with_the_end() -> None:
    assert told(Answer(Gives.EACH), done(output=["a", "b"]))[:-1] == [Output("a"), Output("b")]
    assert told(Answer(Gives.LIST), done(output=["a"]))[:-1] == [Output(["a"])]
    assert told(Answer(Gives.ANYTHING), done(output=["a"], logs="x\n"))[:-1] == [LogLine("x\n"), Output(["a"])]
    # Whether it may be null is looked at where its schema is known.
    assert told(Answer(Gives.ONE), done())[:-1] == [Output(None)]
    assert told(Answer(Gives.ANYTHING), done())[:-1] == []


def test_what_is_asked_with_a_prompt_is_answered_as_text() -> None:
    answer = Answer(Gives.EACH, 2, speaks=True, most=2)
    assert told(answer, output("a"), output(" b"), done()) == [
        Delta(2, "a", (UNTOLD,)),
        Delta(2, " b", (UNTOLD,)),
        Delta(2, finish="length"),
    ]


def test_logs_come_once() -> None:
    log = ("log", {"data": "one\n", "source": "stdout"})
    assert told(Answer(Gives.ANYTHING), log, done(logs="one\ntwo\n"))[:-1] == [LogLine("one\n"), LogLine("two\n")]


def test_figures_are_told_as_they_stand() -> None:
    def metric(value: Any, mode: str) -> tuple[str, dict[str, Any]]:
        return "metric", {"name": "n", "value": value, "mode": mode}

    events = metric(1, "replace"), metric(2, "incr"), metric(5, "replace")
    end = done(metrics={"n": 5, "predict_time": 0.5, "nested": {"a": 1}})
    assert told(Answer(Gives.ANYTHING), *events, end)[:-1] == [
        Measured("n", 1),
        Measured("n", 3),
        Measured("n", 5),
        Measured("predict_time", 0.5),
    ]
    assert told(Answer(Gives.ONE), metric("a", "append"), metric("b", "append")) == [
        Measured("n", ["a"]),
        Measured("n", ["a", "b"]),
    ]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        ("Prediction failed: Generator iteration error: ValueError: no", "prediction_failed", "ValueError: no"),
        ("Prediction failed: KeyError: 'x'", "prediction_failed", "KeyError: 'x'"),
        ("Input validation error: 404", "invalid_request", "The model does not take these inputs: 404"),
        (
            "Prediction failed: torch.OutOfMemoryError: CUDA",
            "prediction_failed",
            "The model ran out of memory: torch.O",
        ),
        ("Worker crashed", "engine_died", "The model's process ended while it predicted"),
        (None, "prediction_failed", "The model's program failed, and did not say why."),
    ],
)
def test_a_failure_is_told_in_the_programs_words(error: str | None, code: str, message: str) -> None:
    told = failure(Ended("failed", error=error))
    assert told is not None
    assert told.code == code
    assert told.message.startswith(message)


def test_what_a_server_answers_instead_of_a_prediction_is_understood() -> None:
    assert isinstance(refusal(409, b'{"error":"At capacity"}', "h"), Busy)
    detail = b'{"detail":[{"loc":["body","input","n"],"msg":"Field required","type":"value_error.missing"}]}'
    wrong = refusal(422, detail, "h")
    assert isinstance(wrong, EngineError)
    assert (wrong.code, wrong.parameter) == ("invalid_request", "input.n")
    for status, code in ((503, "engine_busy"), (500, "engine_failed"), (400, "invalid_request")):
        error = refusal(status, b"what is this", "h")
        assert isinstance(error, EngineError)
        assert (error.code, "what is this" in error.message) == (code, True)


def test_of_what_a_process_says_the_predictors_words_are_kept() -> None:
    assert spoken("plain") == "plain"
    line = '{"timestamp":"t","level":"%s","fields":{"message":"hello"},"target":"%s"}'
    assert spoken(line % ("INFO", "coglet::setup")) == "hello"
    assert spoken(line % ("ERROR", "coglet::orchestrator")) == "hello"
    assert spoken(line % ("INFO", "coglet::prediction")) == ""
    assert spoken("{}") == "{}"


@pytest.mark.parametrize(
    ("output", "gives"),
    [
        ({"type": "array", "items": {"type": "string"}, "x-cog-array-type": "iterator"}, Gives.EACH),
        ({"type": "array", "items": {"type": "string"}}, Gives.LIST),
        ({"type": "object"}, Gives.ONE),
        ({"title": "Output"}, Gives.ANYTHING),
    ],
)
def test_how_a_predictor_gives_its_output_is_read_from_its_document(output: dict[str, Any], gives: Gives) -> None:
    file = {"type": "string", "format": "uri"}
    properties: dict[str, Any] = {"picture": file, "pages": {"type": "array", "items": file}, "prompt": {}}
    facts = read({"components": {"schemas": {"Input": {"properties": properties}, "Output": output}}})
    assert facts.gives is gives
    assert facts.file_inputs == {"picture", "pages"}
    assert (facts.text is not None) == (gives is Gives.EACH)


def test_a_document_that_says_nothing_is_refused() -> None:
    documents: tuple[Any, ...] = ({}, [], {"components": {"schemas": {"Input": {}}}})
    for document in documents:
        with pytest.raises(EngineError):
            read(document)
