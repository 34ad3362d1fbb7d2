"""Which version a run goes on from, and what becomes of its config."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nested_ray.config.train import TrainConfig
from nested_ray.errors import ConfigError
from nested_ray.registry.records import LevelRecord, NestVersion
from nested_ray.train.parent import continued, fix_parent, parse_parent

NAMES = ("syntax", "semantics", "architecture")


def config(levels=NAMES, *, changes=None, **values):
    return TrainConfig.from_values(
        {
            "name": "tiny",
            "nest": "ours",
            "corpus": {"sources": [{"type": "folder", "path": "unused"}]},
            "levels": [
                {
                    "name": name,
                    "kind": name,
                    "weight": 0.3,
                    "lr": {"peak": 0.004, "warmup_steps": 40},
                    "budget": {"max_steps": 100, "checkpoint_every_steps": 50},
                    **(changes or {}).get(name, {}),
                }
                for name in levels
            ],
            **values,
        }
    )


@pytest.fixture
def version():
    return NestVersion(
        nest="ours",
        version=3,
        state="ready",
        run_id="first-1-0123456789ab",
        corpus_digest="c0ffee",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        config={},
        metrics={},
        levels=tuple(
            LevelRecord(name, name, position, 0.3, 1, {}, {}) for position, name in enumerate(NAMES)
        ),
        files=(),
    )


class MovingChampion:
    """A registry whose champion is another version at every look."""

    def __init__(self, version):
        self.version, self.champion = version, 3

    def resolve(self, nest, ref):
        number = self.champion if ref == "champion" else int(ref)
        self.champion += ref == "champion"
        return replace(self.version, nest=nest, version=number)

    def fetch(self, version):
        raise AssertionError("no files are wanted")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("champion", ("ours", "champion")),
        ("candidate", ("ours", "candidate")),
        ("@7", ("ours", "7")),
        ("theirs", ("theirs", "champion")),
        ("theirs@stable", ("theirs", "stable")),
        ("champion@2", ("champion", "2")),
    ],
)
def test_a_parent_is_named_by_nest_and_reference(text, meant):
    assert parse_parent(text, "ours") == meant


def test_the_parent_is_fixed_when_the_run_starts(version, tmp_path):
    registry, settings = MovingChampion(version), config(continual={"parent": "champion"})
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    runs = [
        fix_parent(settings, tmp_path / folder, registry) for folder in ("first", "first", "second")
    ]
    assert [run.label for run in runs] == ["ours@3", "ours@3", "ours@4"]


def test_a_run_that_starts_afresh_has_no_parent(version, tmp_path):
    assert fix_parent(config(), tmp_path, MovingChampion(version)) is None


def test_levels_start_from_the_parents_and_the_higher_ones_move_more_slowly(version):
    settings = continued(config(continual={"parent": "champion"}), version)
    assert settings.continual.parent == "ours@3"
    assert (settings.tokenizer.type, settings.tokenizer.version) == ("registry", 3)
    for level, every in zip(settings.levels, (1, 2, 4), strict=True):
        model = level.model
        assert (model.type, model.nest, model.version, model.level) == (
            "registry", "ours", 3, level.name,
        )  # fmt: skip
        assert level.lr.peak == pytest.approx(0.001)
        assert level.budget.update_every == every
        assert level.budget.max_steps * every == 100  # as many batches as the budget says
        assert level.budget.checkpoint_every_steps == round(50 / every)
        assert level.lr.warmup_steps * every == 40
    again = TrainConfig.from_values(settings.model_dump(mode="json"))
    assert again == settings


def test_frequencies_and_rates_can_be_set(version):
    settings = continued(
        config(
            changes={
                "semantics": {"lr": {"type": "prodigy"}},
                "architecture": {
                    "model": {"type": "pretrained", "source": "x", "lora": {"rank": 4}},
                },
            },
            continual={"parent": "@3", "lr_factor": 0.5, "update_every": {"architecture": 1}},
        ),
        version,
    )
    syntax, semantics, architecture = settings.levels
    assert syntax.lr.peak == pytest.approx(0.002)
    assert semantics.lr.type == "prodigy"
    assert architecture.budget.update_every == 1
    assert architecture.model.lora.rank == 4
    assert architecture.lr.peak == 0.004  # was meant for learned weights already


def test_other_levels_are_refused_with_both_lists(version):
    with pytest.raises(
        ConfigError, match=r"ours@3 has the levels syntax \(syntax\), .* the config has"
    ):
        continued(config(("syntax", "semantics"), continual={"parent": "@3"}), version)


def test_an_update_frequency_of_no_level_is_refused():
    with pytest.raises(ConfigError, match="names 'other'; the levels are syntax"):
        config(continual={"update_every": {"other": 2}})
    with pytest.raises(ConfigError, match="must be at least 1, found 0"):
        config(continual={"update_every": {"syntax": 0}})


def test_a_version_tells_its_parent(version):
    settings = continued(config(continual={"parent": "champion"}), version)
    child = replace(version, version=4, config=settings.model_dump(mode="json"))
    assert child.parent == "ours@3"
    assert version.parent is None
    afresh = config().model_dump(mode="json")
    assert replace(version, config=afresh).parent is None
