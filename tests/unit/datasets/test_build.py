from pathlib import Path

import numpy as np
import pytest

from nested_ray.config.train import TrainConfig
from nested_ray.corpus.documents import Corpus, Document, Split, digest_text
from nested_ray.datasets.build import OldPart, build_level_datasets, input_digest
from nested_ray.datasets.examples import context_budgets, encode_level_input, text_before
from nested_ray.datasets.loader import batch_digest, load_batch
from nested_ray.datasets.store import SPLITS, LevelDatasets
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.errors import DigestMismatch
from nested_ray.levels import Place, build_levels, index_definitions

CONFIG = TrainConfig.from_values(
    {
        "name": "small",
        "corpus": {"sources": [{"type": "folder", "path": "."}]},
        "tokenizer": {"vocab_size": 600},
        "windows": {"window_tokens": 32, "fim_share": 0.5},
        "levels": [
            {"name": "syntax", "kind": "syntax", "weight": 0.3},
            {"name": "semantics", "kind": "semantics", "weight": 0.5, "context_tokens": 24},
            {"name": "architecture", "kind": "architecture", "weight": 0.2, "context_tokens": 48},
        ],
    }
)
PYTHON = '''from shop.prices import total

def pay_{n}(basket, wallet):
    """Pay for the basket."""
    due = total(basket.items) + {n}
    if wallet.balance < due:
        raise ValueError("not enough: ", due)
    wallet.balance -= due
    return due
'''
BSL = """Функция Оплатить{n}(Корзина) Экспорт
\tСумма = Цены.Всего(Корзина) + {n};
\tВозврат Сумма;
КонецФункции
"""


def document(path: str, language: str, text: str, split: Split) -> Document:
    return Document(path, "folder:x", language, text, digest_text(text), None, split)


def corpus() -> Corpus:
    documents = [document("shop/prices.py", "python", "def total(items):\n    return 1\n", "train")]
    for n in range(12):
        split = SPLITS[n % 3]
        documents.append(document(f"pay_{n}.py", "python", PYTHON.format(n=n) * (n % 3 + 1), split))
        documents.append(
            document(f"CommonModules/Оплата{n}/Module.bsl", "bsl", BSL.format(n=n), split)
        )
    return Corpus(tuple(documents), (), 0, "digest")


CORPUS = corpus()
TOKENIZER = NestTokenizer.train(
    [document.text for document in CORPUS.split("train")], CONFIG.tokenizer
)
LEVELS = build_levels(["architecture"], index_definitions(CORPUS.split("train")))


def build(out_dir: Path, config: TrainConfig = CONFIG, progress=None) -> LevelDatasets:
    return build_level_datasets(CORPUS, TOKENIZER, LEVELS, config, out_dir, progress)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> LevelDatasets:
    return build(tmp_path_factory.mktemp("datasets"))


def test_rows_of_all_levels_are_the_same_windows(built: LevelDatasets):
    for split in SPLITS:
        levels = [built.level(level.name, split) for level in CONFIG.levels]
        assert {len(level) for level in levels} == {built.num_windows[split]}
        for rows in zip(*levels, strict=True):
            windows = {tuple(row["input_ids"][row["window_start"] :]) for row in rows}
            assert len(windows) == 1
            assert len({(row["document"], row["token_start"]) for row in rows}) == 1
            assert {row["num_window_tokens"] for row in rows} == {len(windows.pop())}


def test_held_out_windows_are_the_documents_tokens(built: LevelDatasets):
    for split in ("validation", "test"):
        tokens = built.tokenized(split)
        for row in built.level("syntax", split):
            start, length = row["token_start"], row["num_window_tokens"]
            span = tokens.document(row["document"])[start : start + length]
            assert row["input_ids"] == [TOKENIZER.window, *span.tolist()]


def test_serving_makes_the_same_input_from_the_text_before(built: LevelDatasets):
    """A fresh set of levels that sees nothing but the prefix, as in another process."""
    tokens = built.tokenized("test")
    documents = list(CORPUS.split("test"))
    for level in CONFIG.levels:
        budgets = context_budgets(level, CONFIG.levels)
        for row in built.level(level.name, "test"):
            fresh = build_levels(["architecture"], index_definitions(CORPUS.split("train")))
            source = documents[row["document"]]
            ids = tokens.document(row["document"])[: row["token_start"]]
            place = Place(source.path, source.language, text_before(TOKENIZER, ids))
            window = row["input_ids"][row["window_start"] :]
            found = encode_level_input(TOKENIZER, fresh, budgets, place, window)
            assert found == (row["input_ids"], row["window_start"])


def test_contexts_hold_what_the_kinds_promise(built: LevelDatasets):
    texts = [
        TOKENIZER.decode(row["input_ids"][: row["window_start"]])
        for row in built.level("architecture", "test")
        if row["token_start"] > 40
    ]
    assert any("def total(items)" in text and "def pay_" in text for text in texts)


def test_only_training_windows_are_rearranged(built: LevelDatasets):
    def share(split: Split) -> float:
        rows = built.level("syntax", split)
        return sum(TOKENIZER.fim_middle in row["input_ids"] for row in rows) / len(rows)

    assert share("validation") == share("test") == 0
    assert 0.2 < share("train") < 0.8


def test_tokens_are_the_documents_with_an_end(built: LevelDatasets):
    for split in SPLITS:
        documents = list(CORPUS.split(split))
        tokens = built.tokenized(split)
        assert len(tokens) == len(documents)
        for source, ids, known in zip(documents, tokens.documents(), tokens.sources, strict=True):
            assert ids.dtype == np.uint16
            assert TOKENIZER.decode(ids) == source.text
            assert ids[-1] == TOKENIZER.end_of_text
            assert (known.path, known.num_bytes) == (source.path, len(source.text.encode()))


def test_levels_batches_of_one_name_predict_the_same(built: LevelDatasets):
    digests = {
        batch_digest(
            load_batch(
                built.level(level.name, "train"),
                seed=0,
                batch_id="architecture/0/3",
                batch_size=4,
                pad_id=TOKENIZER.pad,
            )
        )
        for level in CONFIG.levels
    }
    assert len(digests) == 1


def file_bytes(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_two_builds_write_the_same_bytes(built: LevelDatasets, tmp_path: Path):
    again = build(tmp_path)
    assert file_bytes(again.root) == file_bytes(built.root)


def test_a_second_run_opens_what_is_there(tmp_path: Path):
    calls: list[tuple[int, int, str]] = []
    first = build(tmp_path, progress=lambda *args: calls.append(args))
    assert [done for done, total, split in calls if done == total] == [
        first.num_windows[split] for split in SPLITS
    ]
    calls.clear()
    assert build(tmp_path, progress=lambda *args: calls.append(args)) == first
    assert calls == []


def test_other_settings_are_another_dataset(tmp_path: Path):
    other = CONFIG.model_copy(update={"seed": 1})
    assert input_digest(CORPUS, TOKENIZER, CONFIG) != input_digest(CORPUS, TOKENIZER, other)


def test_a_build_that_dies_leaves_nothing_that_counts(tmp_path: Path):
    def die(done: int, total: int, split: str) -> None:
        if split == "validation":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, progress=die)
    assert list(tmp_path.iterdir()) == []
    assert build(tmp_path).num_windows["train"] > 0


def test_a_damaged_file_is_named_and_made_anew(tmp_path: Path):
    built = build(tmp_path)
    before = file_bytes(built.root)
    tokens = built.root / "tokens" / "test" / "tokens.npy"
    tokens.write_bytes(tokens.read_bytes()[:-1] + b"?")
    with pytest.raises(DigestMismatch, match=r"tokens\.npy is not what was written"):
        LevelDatasets.open(built.root)
    assert build(tmp_path) == built
    assert file_bytes(built.root) == before


def test_a_folder_without_datasets_is_named(tmp_path: Path):
    with pytest.raises(DigestMismatch, match="no finished datasets"):
        LevelDatasets.open(tmp_path / "none")


def test_windows_are_limited_by_a_sample(tmp_path: Path):
    windows = CONFIG.windows.model_copy(update={"max_windows": 3})
    built = build(tmp_path, CONFIG.model_copy(update={"windows": windows}))
    assert set(built.num_windows.values()) == {3}


def test_a_split_without_documents_has_no_rows(tmp_path: Path):
    only = Corpus(tuple(CORPUS.split("train")), (), 0, "digest")
    built = build_level_datasets(only, TOKENIZER, LEVELS, CONFIG, tmp_path)
    assert built.num_windows == {
        "train": len(built.level("syntax", "train")),
        "validation": 0,
        "test": 0,
    }
    assert len(built.level("architecture", "test")) == 0
    assert list(built.tokenized("test").documents()) == []


def test_old_windows_follow_new_ones_and_are_sampled_on_their_own(built, tmp_path):
    """The first ten documents are new; of the old ones three training windows are wanted."""
    num_new = 10
    parts = build_level_datasets(
        CORPUS, TOKENIZER, LEVELS, CONFIG, tmp_path, old=OldPart(num_new, max_windows=3)
    )
    assert parts.root.name != built.root.name
    for split in SPLITS:
        new = [document.split for document in CORPUS.documents[:num_new]].count(split)
        documents = [row["document"] for row in parts.level("syntax", split)]
        assert documents == sorted(documents)
        wanted = [row["document"] for row in built.level("syntax", split)]
        assert [each for each in documents if each < new] == [each for each in wanted if each < new]
        old = [each for each in documents if each >= new]
        if split == "train":
            assert len(old) == 3
        else:
            assert old == [each for each in wanted if each >= new]
    first, again = (
        row["document"]
        for row in (parts.level(name, "train")[-1] for name in ("syntax", "semantics"))
    )
    assert first == again
