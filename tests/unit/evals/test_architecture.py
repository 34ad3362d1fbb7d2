"""The measurements of the architecture level: samples, planted faults, recovery."""

from __future__ import annotations

from collections import Counter

from nested_ray.analyzers.architecture.graph import Edge, ModuleGraph
from nested_ray.analyzers.architecture.placement.samples import FunctionSample, Sample, Samples
from nested_ray.evals.architecture import patterns_table
from nested_ray.evals.pattern_samples import PatternScore, read_samples, score_patterns
from nested_ray.evals.planting import (
    move_functions,
    plant_cycles,
    plant_layer_breaks,
)
from nested_ray.evals.recovery import measure_recovery
from nested_ray.repository.base import Link

TEXT = """An introduction.

### one: singleton get; observer Bus
_it = None


class It: ...


def get():
    global _it
    if _it is None:
        _it = It()
    return _it

### two:
//// CommonModules/А/Ext/Module.bsl
Процедура Б() Экспорт
КонецПроцедуры
//// CommonModules/А.xml
<x/>
"""


def graph_of(counts: dict[tuple[str, str], int]) -> ModuleGraph:
    edges = {
        (s, t): Edge(s, t, count, Link(s, None, t, None, "use", 0))
        for (s, t), count in counts.items()
    }
    return ModuleGraph(tuple(sorted({node for pair in counts for node in pair})), edges)


def test_samples_are_read_with_their_files():
    one, two = read_samples(TEXT)
    assert one.labels == {("singleton", "get"), ("observer", "Bus")}
    assert [file.path for file in one.files] == ["sample.py"]
    assert two.labels == frozenset() and two.files[0].text.startswith("Процедура Б()")
    assert [each.path for each in two.metadata] == ["CommonModules/А.xml"]


def test_scores_count_right_wrong_and_missed():
    assert score_patterns(read_samples(TEXT)) == [
        PatternScore("observer", 0, 0, 1),
        PatternScore("singleton", 1, 0, 0),
    ]
    score = PatternScore("x", num_right=3, num_wrong=1, num_missed=2)
    assert (score.precision, score.recall) == (0.75, 0.6)
    assert "| **all** | 5 | 75.0% | 60.0% |" in patterns_table("t", [score])


def test_a_planted_circle_is_found_at_the_planted_link():
    graph = graph_of({("a", "b"): 5, ("b", "c"): 6, ("c", "d"): 7})
    planted = plant_cycles(graph, 3, 0, inside=False, on_progress=lambda *_: None)
    assert (planted.num_planted, planted.num_found, planted.num_named) == (3, 3, 3)
    assert (planted.recall, planted.precision, planted.num_before) == (1.0, 1.0, 0)


def test_a_planted_layer_break_is_found():
    planted = plant_layer_breaks(graph_of({("web", "core"): 30, ("web", "data"): 3}), 5, 0)
    assert (planted.num_planted, planted.num_found, planted.num_new) == (1, 1, 1)


def test_a_moved_function_takes_words_and_links_along():
    words, uses = Counter({f"w{n}": 1 for n in range(9)}), Counter({"a": 2, "c": 1})
    units = {
        "a": Sample("a", words + Counter(own=4), Counter(c=1)),
        "b": Sample("b", Counter(other=1)),
        "c": Sample("c", Counter(), Counter(), Counter(a=1)),
    }
    function = FunctionSample("a", words, uses, path="a", definition=0)
    moved, keys = move_functions(
        Samples(units, [function]), {"a": 0, "b": 1, "c": -1}, count=1, seed=0
    )
    assert keys == {("a", 0)} and moved.functions[0].unit == "b"
    assert moved.units["a"].words == Counter(own=4)
    assert moved.units["b"].words == words + Counter(other=1)
    assert moved.units["a"].uses == Counter() and moved.units["b"].uses == Counter(a=2, c=1)
    assert units["a"].uses == Counter(c=1)


def test_places_that_words_tell_apart_are_recovered():
    units = {}
    for place, word in (("x", "red"), ("y", "blue")):
        for number in range(6):
            name = f"{place}{number}"
            units[name] = Sample(name, Counter({word: 3, f"{word}ish": 1, "shared": 2}))
    recovery = measure_recovery(Samples(units, []), {name: name[0] for name in units})
    assert recovery is not None
    assert (recovery.num_units, recovery.num_places, recovery.largest_place) == (12, 2, 0.5)
    assert (recovery.accuracy, recovery.macro_f1, recovery.words_accuracy) == (1.0, 1.0, 1.0)
    assert measure_recovery(Samples({}, []), {}) is None
