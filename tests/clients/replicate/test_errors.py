"""What a user sees when something goes wrong."""

from __future__ import annotations

import pytest

from tests.clients.replicate.conftest import Hearth, speaking
from tests.clients.replicate.speaker import Raised, Speaker

QUESTION = {"prompt": "hello"}
NAMES = {401: "AuthenticationError", 404: "NotFoundError", 422: "UnprocessableEntityError", 429: "RateLimitError"}
"""What the second major version of Python's client calls them; the others have one name for all."""


def raised(client: Speaker, deed: str = "run", **words: object) -> Raised:
    """What the client raised, after a look at its name."""
    with pytest.raises(Raised) as caught:
        client(deed, **words)
    error = caught.value
    name = {"python 2.0.0b4": NAMES.get(error.status or 0, "APIStatusError"), "node 1.4.0": "ApiError"}
    assert error.type == name.get(client.name, "ReplicateError"), error
    return error


def test_a_wrong_token_is_told_so(client: Speaker) -> None:
    error = raised(client.sending(token="r8_wrong"), model="hearth/quick", input=QUESTION)
    assert error.status == 401 and error.detail


def test_a_spent_budget_is_told_so(client: Speaker, hearth: Hearth) -> None:
    poor = client.sending(token=hearth.key(budget={"amount": 1}))
    short = {**QUESTION, "max_tokens": 1}
    poor("run", model="hearth/dear", input=short)
    error = raised(poor, model="hearth/dear", input=short)
    assert error.status == 402 and error.detail


def test_an_unknown_model_is_told_so(client: Speaker) -> None:
    error = raised(client, model="hearth/no-such-model", input=QUESTION)
    assert error.status == 404 and error.detail


def test_an_unknown_version_is_told_so(client: Speaker) -> None:
    error = raised(client, model=f"hearth/quick:{'0' * 64}", input=QUESTION)
    assert error.status == 422
    assert error.detail and "version" in error.detail


def test_an_unknown_prediction_is_told_so(client: Speaker) -> None:
    error = raised(client, "get", id="a" * 26)
    assert error.status == 404 and error.detail


@pytest.mark.parametrize(
    ("input", "said"), [({}, "prompt"), ({**QUESTION, "temperature": "hot"}, "temperature")], ids=["missing", "wrong"]
)
def test_a_wrong_input_is_named(client: Speaker, input: dict[str, object], said: str) -> None:
    error = raised(client, model="hearth/quick", input=input)
    assert error.status == 422
    assert error.detail and said in error.detail


@speaking("python 0.31.0", "python 1.0.7", "node 1.4.0")
def test_who_asks_too_often_is_told_when_to_come_back(client: Speaker, hearth: Hearth) -> None:
    """Node's client asks six times at once. The second major version of Python's waits for as long as it is told."""
    eager = client.sending(token=hearth.key(requests_per_minute=1))
    eager("create", model="hearth/quick", input=QUESTION)
    error = raised(eager, "create", model="hearth/quick", input=QUESTION)
    assert error.status == 429
    assert error.detail and "per minute" in error.detail


@speaking("node 1.4.0")
def test_a_client_that_sends_itself_instead_of_its_input_is_told_so(client: Speaker, token: str) -> None:
    """With `fileEncodingStrategy: "data-uri"` Node's client puts its own fields there, its token among them."""
    error = raised(client, "run_with_data_uri", model="hearth/quick", input=QUESTION)
    assert error.status == 422
    assert error.detail and "fileEncodingStrategy" in error.detail
    assert token not in str(error)
