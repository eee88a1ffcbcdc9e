"""Several engines' metrics in one text."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from engines.samples import labelled


def test_every_sample_has_the_label_and_keeps_its_own() -> None:
    told = '# HELP up Up.\n# TYPE up gauge\nup 1.0\nup{engine="0"} 2.0\n'
    [family] = text_string_to_metric_families(labelled(told, "place", 'a "b" \\ 2'))
    assert [(sample.labels, sample.value) for sample in family.samples] == [
        ({"place": 'a "b" \\ 2'}, 1.0),
        ({"place": 'a "b" \\ 2', "engine": "0"}, 2.0),
    ]


def test_what_is_no_prometheus_text_is_dropped() -> None:
    assert labelled("<html>no metrics here</html>\n", "place", "a") == ""
