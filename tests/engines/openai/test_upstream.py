"""Upstreams as users name them."""

from __future__ import annotations

import pytest

from engines.errors import EngineError
from engines.openai.upstream import Upstream, find

BOX = Upstream(url="http://box:1/v1", model="theirs", key="sk-secret", start=("serve", "sk-secret"))


def test_a_source_is_a_base_url() -> None:
    found = find("llama", "http://10.0.0.1:8000/v1/", {"model": "meta/llama", "connect_s": "2.5"}, {})
    assert (found.url, found.model, found.connect_s) == ("http://10.0.0.1:8000/v1", "meta/llama", 2.5)
    assert found.root == "http://10.0.0.1:8000"


def test_a_source_is_the_name_of_a_table_and_knobs_win_over_it() -> None:
    assert find("a", "box", {}, {"box": BOX}) == BOX
    assert find("a", "box", {"model": "other"}, {"box": BOX}).model == "other"


@pytest.mark.parametrize(
    ("source", "knobs", "told"),
    [
        ("", {}, "base URL"),
        ("nowhere", {}, "no table [engine.nowhere]"),
        ("ftp://host/v1", {}, "no URL"),
        ("http://", {}, "no URL"),
        ("http://host:port/v1", {}, "no URL"),
        ("http://host/v1#x", {}, "query"),
        ("http://host/v1", {"colour": "red"}, "no knob 'colour'"),
        ("http://host/v1", {"connect_s": "nan"}, "connect_s"),
        ("http://host/v1", {"health_s": "0"}, "health_s"),
    ],
)
def test_what_names_no_upstream_is_told(source: str, knobs: dict[str, str], told: str) -> None:
    with pytest.raises(EngineError) as refused:
        find("llama", source, knobs, {})
    assert refused.value.code == "bad_model_source"
    assert told in refused.value.message


def test_a_url_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(EngineError) as refused:
        find("llama", "http://me:hunter2@host/v1", {}, {})
    assert "put `key` into a table" in refused.value.message
    assert "hunter2" not in refused.value.message


def test_its_repr_holds_no_secret() -> None:
    assert "sk-secret" not in f"{BOX!r} {BOX}"
