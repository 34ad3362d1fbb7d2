"""From a corpus with habits to findings about code that breaks them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nested_ray.analyzers.findings import Finding
from nested_ray.bugs import RULES, BugDetector, inject
from nested_ray.bugs.detector import MAX_CHARS
from nested_ray.bugs.doubt import KindModel
from nested_ray.bugs.judge import FACTS_FILE, FOLDER, WEIGHTS_FILE, Judge
from nested_ray.bugs.slots import SlotKind
from nested_ray.bugs.training import fit_judge, fit_models
from nested_ray.errors import InferenceError
from nested_ray.inference.bundle import level_folder
from nested_ray.inference.loading import load_engine
from nested_ray.languages import get_language
from nested_ray.repository.base import SourceFile
from nested_ray.repository.index import open_repository

from .conftest import CONFIG, Document, make_text

PYTHON = get_language("python")


Models = dict[SlotKind, KindModel]


def silent(done: int, total: int | None, detail: str) -> None: ...


@pytest.fixture(scope="session")
def models(train: list[Document]) -> Models:
    return fit_models(train, CONFIG, seed=0, advance=silent)


@pytest.fixture(scope="session")
def judge(nest_dir: Path, models: Models, validation: list[Document]) -> Judge:
    progress: list[tuple[int, int | None]] = []
    engine = load_engine(nest_dir, "semantics")
    judge = fit_judge(
        engine,
        models,
        validation,
        CONFIG,
        seed=0,
        advance=lambda done, total, detail: progress.append((done, total)),
    )
    assert judge is not None
    done, total = progress[-1]
    assert done == total
    judge.save(level_folder(nest_dir, "semantics"))
    return judge


@pytest.fixture
def detector(nest_dir: Path, judge: Judge) -> BugDetector:
    return BugDetector.load(nest_dir, "semantics")


def repository_of(**texts: str):
    return open_repository(
        [SourceFile(f"{name}.py", "python", text) for name, text in texts.items()]
    )


def test_code_with_the_habits_of_the_corpus_is_left_alone(detector: BugDetector) -> None:
    text = make_text(55)
    findings = list(detector.suspect(repository_of(new=text), ["new.py"]))
    # `+ 0` or `+ 1` is a coin in this corpus: there alone an alarm is no surprise.
    assert len(findings) <= 1
    assert all(text[: finding.span.start].endswith("width * height + ") for finding in findings)


def test_injected_bugs_are_found_with_what_was_replaced(detector: BugDetector) -> None:
    text = make_text(55)
    bugs = list(inject(text, PYTHON, seed=1, per_kind=3))
    repaired = 0
    for bug in bugs:
        findings = list(detector.suspect(repository_of(new=bug.text), ["new.py"]))
        for finding in findings:
            assert finding.rule in {rule.id for rule in RULES.values()}
            assert detector.threshold <= finding.confidence <= 1
            assert finding.symbol.startswith("resize_")
            assert finding.fix is not None
            repaired += finding.fix.apply(bug.text) == text
    # `+ 0` or `+ 1` is a coin in this corpus; by chance one of about 120 slots would be hit.
    assert repaired >= len(bugs) / 4


def test_a_finding_tells_ratio_and_precedents(detector: BugDetector) -> None:
    text = make_text(55).replace("ValueError(width, height)", "ValueError(height, width)", 1)
    findings = list(detector.suspect(repository_of(new=text), ["new.py"]))
    (swapped,) = [finding for finding in findings if text[slice_of(finding)] == "height, width"]
    assert swapped.rule == "semantics/suspicious-argument-order"
    assert swapped.fix is not None
    assert swapped.fix.apply(text) == make_text(55)
    # Ten files of six functions hold the usual order, each once in `ValueError(width, height)`.
    assert "the corpus has `width, height` 60 times, `height, width` never" in swapped.witness


def slice_of(finding: Finding) -> slice:
    return slice(finding.span.start, finding.span.end)


def test_saved_and_loaded_it_judges_the_same(nest_dir: Path, judge: Judge) -> None:
    loaded = Judge.load(level_folder(nest_dir, "semantics"))
    assert loaded.calibrated == judge.calibrated
    assert loaded.kinds == judge.kinds
    for kind, model in judge.models.items():
        for name, tensor in model.ranker.state_dict().items():
            assert loaded.models[kind].ranker.state_dict()[name].equal(tensor)


def test_the_same_corpus_gives_the_same_judge(
    nest_dir: Path, models: Models, judge: Judge, validation: list[Document]
) -> None:
    engine = load_engine(nest_dir, "semantics")
    again = fit_judge(engine, models, validation, CONFIG, seed=0, advance=silent)
    assert again is not None
    assert again.calibrated == judge.calibrated
    assert again.kinds == judge.kinds


def test_too_little_code_gives_no_judge(
    nest_dir: Path, models: Models, train: list[Document]
) -> None:
    assert fit_models([], CONFIG, seed=0, advance=silent) == {}
    engine = load_engine(nest_dir, "semantics")
    assert fit_judge(engine, models, train[:1], CONFIG, seed=0, advance=silent) is None


@pytest.mark.parametrize(
    "text",
    ["", "\0" * 50, "def f(:\n", "(" * 3_000, "def f(a, b):\n  return a +", "x" * (MAX_CHARS + 1)],
)
def test_any_text_gives_findings_or_none(detector: BugDetector, text: str) -> None:
    repository = repository_of(odd=text)
    assert isinstance(list(detector.suspect(repository, ["odd.py", "absent.py"])), list)


def test_damaged_files_are_refused(tmp_path: Path, judge: Judge) -> None:
    with pytest.raises(InferenceError, match="lacks"):
        Judge.load(tmp_path)
    judge.save(tmp_path)
    weights = tmp_path / FOLDER / WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InferenceError, match="fetch the version again"):
        Judge.load(tmp_path)
    facts = tmp_path / FOLDER / FACTS_FILE
    facts.write_text(json.dumps({"format": 99}))
    with pytest.raises(InferenceError, match="format 99"):
        Judge.load(tmp_path)
