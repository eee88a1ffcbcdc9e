"""Metrics of several engines make one text that a scraper takes."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from gateway.exposition import merge


def told(model: str) -> str:
    return (
        "# HELP python_info Not ours.\n# TYPE python_info gauge\npython_info 1.0\n"
        f'# HELP vllm:running Running.\n# TYPE vllm:running gauge\nvllm:running{{model="{model}"}} 1.0\n'
        "# HELP vllm:wait_seconds Waits.\n# TYPE vllm:wait_seconds histogram\n"
        f'vllm:wait_seconds_bucket{{model="{model}",le="+Inf"}} 2.0\n'
        f'vllm:wait_seconds_count{{model="{model}"}} 2.0\nvllm:wait_seconds_sum{{model="{model}"}} 0.5\n'
    )


def test_each_family_stands_once_with_the_samples_of_every_engine() -> None:
    text = merge([told("a"), told("b")], "vllm:")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert set(families) == {"vllm:running", "vllm:wait_seconds"}
    assert text.count("# TYPE vllm:running") == 1
    assert [sample.labels["model"] for sample in families["vllm:running"].samples] == ["a", "b"]
    assert len(families["vllm:wait_seconds"].samples) == 6


def test_an_engine_without_metrics_adds_nothing() -> None:
    assert merge(["", told("a"), ""], "vllm:") == merge([told("a")], "vllm:")
    assert merge([], "vllm:") == ""
