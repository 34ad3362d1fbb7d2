"""Layers: declared and inferred."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.analyzers.architecture.analyzer import ArchitectureAnalyzer
from nested_ray.analyzers.architecture.layers import (
    allowed_uses,
    assign_layers,
    inferred_breaks,
    levels_of,
)
from nested_ray.analyzers.architecture.measures import outliers, stability_of, unstable_dependencies
from nested_ray.analyzers.architecture.units import shown_packages
from nested_ray.config.architecture import ArchitectureConfig, LayerConfig
from nested_ray.errors import ConfigError

from .test_graph import graph_of


def test_a_layer_may_use_those_below_unless_it_says_which():
    layers = [
        LayerConfig(name="web", paths=("web/",)),
        LayerConfig(name="tasks", paths=("tasks/",), may_use=("data",)),
        LayerConfig(name="core", paths=("core/",)),
        LayerConfig(name="data", paths=("data/",), may_use=()),
    ]
    assert allowed_uses(layers) == {
        "web": {"web", "tasks", "core", "data"},
        "tasks": {"tasks", "data"},
        "core": {"core", "data"},
        "data": {"data"},
    }


def test_the_first_layer_that_matches_has_the_file():
    layers = [LayerConfig(name="a", paths=("x/*.py",)), LayerConfig(name="b", paths=("**",))]
    assert assign_layers(["x/m.py", "y/m.py"], layers) == {"x/m.py": "a", "y/m.py": "b"}


def test_a_declared_layer_break_is_an_error_with_its_place(repository_of):
    repository = repository_of(
        {
            "app/__init__.py": "",
            "app/view.py": "from app.model import load\n\nload()\n",
            "app/model.py": "import app.view\n\n\ndef load():\n    return app.view\n",
        }
    )
    config = ArchitectureConfig(
        layers=(
            LayerConfig(name="views", paths=("app/view.py",)),
            LayerConfig(name="models", paths=("app/model.py",)),
        )
    )
    found = [
        f
        for f in ArchitectureAnalyzer(config).analyze(repository, repository.files)
        if f.rule == "architecture/layer-break"
    ]
    assert [(f.path, f.span.start, f.severity.label, f.confidence) for f in found] == [
        ("app/model.py", 0, "error", 1.0)
    ]
    assert "'models'" in found[0].message and "views > models" in found[0].witness


def test_one_link_against_forty_is_a_break_and_one_against_five_is_not():
    (found,) = inferred_breaks(graph_of({("web", "core"): 40, ("core", "web"): 1}))
    assert (found.edge.source, found.edge.target, found.edge.count) == ("core", "web", 1)
    assert found.confidence == pytest.approx(41 / 43)
    assert inferred_breaks(graph_of({("web", "core"): 5, ("core", "web"): 1})) == []


def test_a_break_may_run_against_a_longer_way_but_only_where_that_runs_one_way():
    counts = {("web", "core"): 40, ("core", "data"): 30, ("data", "web"): 1}
    (found,) = inferred_breaks(graph_of(counts))
    assert (found.edge.source, found.edge.target, found.strength) == ("data", "web", 30)
    assert inferred_breaks(graph_of({**counts, ("core", "web"): 35})) == []


def test_a_package_may_use_its_own_parts():
    assert inferred_breaks(graph_of({("app.parts", "app"): 40, ("app", "app.parts"): 1})) == []


def test_users_stand_above_what_they_use():
    graph = graph_of(
        {("cli", "core"): 3, ("core", "errors"): 5, ("cli", "errors"): 1, ("errors", "cli"): 1}
    )
    assert levels_of(graph) == [["cli"], ["core"], ["errors"]]


def test_outliers_need_the_floor_and_the_distance():
    values = {**{f"m{n}": 3 for n in range(20)}, "hub": 60, "small": 14}
    # log(61/4) / 0.25 = 10.9 sigma; log(15/4) / 0.25 = 5.3, but below the floor
    assert outliers(values, floor=15) == {"hub": pytest.approx(10.9, abs=0.01)}
    assert outliers({}, floor=1) == {}


def test_instability_is_the_share_of_ties_that_go_out():
    counts = {(f"user{n}", "base"): 1 for n in range(6)}
    counts |= {("base", "odd"): 1, **{("odd", f"leaf{n}"): 1 for n in range(4)}}
    graph = graph_of(counts)
    assert stability_of(graph)["base"].instability == pytest.approx(1 / 7)
    assert stability_of(graph)["odd"].instability == pytest.approx(4 / 5)
    assert [(e.source, e.target) for e, _, _ in unstable_dependencies(graph)] == [("base", "odd")]


def test_many_packages_are_drawn_as_few_groups():
    even = {f"app.{area}.part{n}": 1 for area in ("a", "b", "c") for n in range(40)}
    assert set(shown_packages(even, 4).values()) == {"app.a", "app.b", "app.c"}
    mixed = {"app.big": 50, "app.mid": 20, "app.one": 1, "app.two": 1, "lib": 5}
    assert shown_packages(mixed, 4) == {
        "app.big": "app.big",
        "app.mid": "app.mid",
        "app.one": "app (others)",
        "app.two": "app (others)",
        "lib": "lib",
    }
    flat = shown_packages({f"top{n:03}": 1 for n in range(99)}, 10)
    assert len(set(flat.values())) == 10 and "(others)" in flat.values()


@given(
    st.dictionaries(st.text("ab./", min_size=1, max_size=8), st.integers(0, 9), max_size=30),
    st.integers(1, 12),
)
def test_no_more_groups_are_drawn_than_asked_for(sizes, limit):
    groups = shown_packages(sizes, limit)
    assert groups.keys() == sizes.keys() and len(set(groups.values())) <= limit


@pytest.mark.parametrize(
    "values",
    [
        {"layers": [{"name": "a", "paths": ["x"]}, {"name": "a", "paths": ["y"]}]},
        {"layers": [{"name": "a", "paths": ["x"], "may_use": ["b"]}]},
        {"layers": [{"name": "a", "paths": []}]},
        {"layer": []},
    ],
)
def test_wrong_layers_are_refused(values):
    with pytest.raises(ConfigError):
        ArchitectureConfig.from_values(values)
