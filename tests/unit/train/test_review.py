"""What a nest learns for reviews: files in its directory, figures in its report."""

from __future__ import annotations

import json
from pathlib import Path

from nested_ray.analyzers.architecture.placement import PlacementModel
from nested_ray.config.train import TrainConfig
from nested_ray.corpus.documents import Corpus, Document, Rejection, digest_text
from nested_ray.inference.bundle import PLACEMENT_FOLDER, REPORT_FILE
from nested_ray.train.review import learn_reviews

CONFIG = TrainConfig.from_values(
    {
        "name": "tiny",
        "corpus": {"sources": [{"type": "folder", "path": "."}]},
        "levels": [{"name": "file", "kind": "semantics", "weight": 1.0}],
    }
)


def corpus_of(paths: list[str]) -> Corpus:
    documents = []
    for path in paths:
        topic = path.split("/")[-2] if "/" in path else "top"
        text = f"{topic}_limit = 1\n\n\nclass {topic.title()}Reader:\n    {topic}_size = {len(documents)}\n"
        documents.append(
            Document(path, "folder:.", "python", text, digest_text(text), None, "train")
        )
    packages = sorted({path.rpartition("/")[0] for path in paths if "/" in path})
    empty = (Rejection(f"{package}/__init__.py", "folder:.", "empty") for package in packages)
    return Corpus(tuple(documents), tuple(empty), 0, "digest")


def learn(corpus: Corpus, folder: Path, config: TrainConfig = CONFIG) -> dict:
    (folder / REPORT_FILE).write_text(json.dumps({"seed": 7}), encoding="utf-8")
    learn_reviews(config, corpus, folder, folder / "outlines", lambda done, total, detail: None)
    return json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))


def test_code_without_functions_or_packages_teaches_nothing(tmp_path: Path) -> None:
    report = learn(corpus_of(["a.py", "b.py"]), tmp_path)
    assert report == {"seed": 7, "review": {"bugs": {}, "placement": None}}
    assert not (tmp_path / PLACEMENT_FOLDER).exists()


def test_the_layout_of_packages_is_learned_unless_it_is_turned_off(tmp_path: Path) -> None:
    paths = [f"{package}/part_{number}.py" for package in ("red", "blue") for number in range(6)]
    report = learn(corpus_of(paths), tmp_path)
    assert report["review"]["placement"] == {"source": "folder:.", "places": 2}
    assert len(PlacementModel.load(tmp_path / PLACEMENT_FOLDER).places) == 2
    off = CONFIG.model_copy(
        update={"review": CONFIG.review.model_copy(update={"placement": False})}
    )
    assert "placement" not in learn(corpus_of(paths), tmp_path, off)["review"]
