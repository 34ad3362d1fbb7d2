"""Where the code of an old nest is found, and what is said when it is not."""

import pytest

from nested_ray.config.continual import ReplayConfig
from nested_ray.config.corpus import CorpusConfig, FolderSource
from nested_ray.config.train import TrainConfig
from nested_ray.corpus.build import build_corpus
from nested_ray.corpus.shards import load_corpus, save_corpus
from nested_ray.train.old_corpus import find_old, make_joined, read_joined


def silent(count, path):
    pass


def write_code(folder, name, numbers):
    folder.mkdir(exist_ok=True)
    for number in numbers:
        text = f"def {name}_{number}(x):\n    return x + {number}\n" * 8
        (folder / f"{name}_{number}.py").write_text(text)
    return CorpusConfig(sources=(FolderSource(path=str(folder)),))


class Version:
    """What is asked of a registered version."""

    run_id = "first-1-0123456789ab"
    label = "ours@1"

    def __init__(self, settings):
        self.config = {"corpus": settings.model_dump(mode="json")}
        self.corpus_digest = build_corpus(settings).digest


@pytest.fixture
def code(tmp_path):
    return tmp_path / "code"


@pytest.fixture
def version(code):
    return Version(write_code(code, "old", range(24)))


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


def keep(runs, version):
    settings = CorpusConfig.from_values(version.config["corpus"])
    save_corpus(build_corpus(settings), runs / "first-1" / "corpus")


def test_the_corpus_of_the_run_comes_first(version, runs, code):
    keep(runs, version)
    (code / "old_1.py").write_text("changed = 1\n")
    found, origin = find_old(version, runs, ReplayConfig(), silent)
    assert found.digest == version.corpus_digest
    assert origin == "the corpus of run first-1"


def test_another_runs_corpus_of_that_name_is_not_taken(version, runs, code):
    keep(runs, version)
    version.corpus_digest = "another"
    (code / "old_1.py").write_text("changed = 1\n")
    assert find_old(version, runs, ReplayConfig(), silent)[0] is None


def test_unchanged_sources_are_read_again(version, runs):
    found, origin = find_old(version, runs, ReplayConfig(), silent)
    assert found.digest == version.corpus_digest
    assert origin == "its sources, read again"


def test_named_sources_are_split_as_the_old_ones_were(version, runs, code, tmp_path):
    moved = tmp_path / "moved"
    code.rename(moved)
    replay = ReplayConfig(sources=(FolderSource(path=str(moved)),))
    found, origin = find_old(version, runs, replay, silent)
    assert found.digest == version.corpus_digest
    assert "the very corpus" in origin
    (moved / "old_1.py").write_text("changed = 1\n")
    found, origin = find_old(version, runs, replay, silent)
    assert found is not None and found.digest != version.corpus_digest
    assert "not exactly" in origin


@pytest.mark.parametrize("loss", ["changed", "gone"])
def test_without_the_old_code_it_is_said_what_to_do(version, runs, code, loss):
    if loss == "changed":
        (code / "old_1.py").write_text("changed = 1\n")
    else:
        code.rename(code.with_name("elsewhere"))
    found, origin = find_old(version, runs, ReplayConfig(), silent)
    assert found is None
    assert "Name its code in continual.replay.sources" in origin


def test_a_continued_runs_corpus_says_which_documents_are_old(version, runs, tmp_path):
    settings = TrainConfig.from_values(
        {
            "name": "more",
            "corpus": write_code(tmp_path / "new", "new", range(24)).model_dump(),
            "levels": [{"name": "syntax", "kind": "syntax", "weight": 1}],
        }
    )
    folder = tmp_path / "corpus"
    make_joined(settings, version, runs, folder, silent)
    joined, corpus = read_joined(folder), load_corpus(folder)
    assert (joined.num_new, joined.num_old) == (24, 24)
    assert {each.path.partition("_")[0] for each in corpus.documents[:24]} == {"new"}
    old = {each.digest: each.split for each in corpus.documents[24:]}
    before = build_corpus(CorpusConfig.from_values(version.config["corpus"]))
    assert old == {each.digest: each.split for each in before.documents}


def test_a_corpus_of_a_run_that_starts_afresh_has_no_old_part(tmp_path):
    assert read_joined(tmp_path) is None
