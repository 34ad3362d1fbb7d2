"""Accepted completions as documents to learn from."""

import json

import pytest

from nested_ray.config.corpus import CompletionsSource, CorpusConfig
from nested_ray.corpus.build import build_corpus
from nested_ray.corpus.completions import completion_texts
from nested_ray.corpus.sources import open_source, parse_source
from nested_ray.errors import CorpusError, SourceNotFound


@pytest.fixture
def accepted(tmp_path):
    def write(*records):
        path = tmp_path / "accepted.jsonl"
        lines = [each if isinstance(each, str) else json.dumps(each) for each in records]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


def record(**values):
    return {"prefix": "a = ", "completion": "1\n", "suffix": "b = 2\n", **values}


def test_a_completion_stands_between_what_was_around_it(accepted):
    path = accepted(record(language="python"), "", record(language="bsl", completion="2;\n"))
    assert completion_texts(path, 100) == [
        ("line-1/completion.py", b"a = 1\nb = 2\n"),
        ("line-3/completion.bsl", b"a = 2;\nb = 2\n"),
    ]


def test_what_was_not_accepted_is_left_out(accepted):
    path = accepted(record(path="a.py", accepted=False), record(path="b.py", accepted=True))
    assert [name for name, _ in completion_texts(path, 100)] == ["b.py"]


def test_of_one_file_every_completion_is_kept(accepted):
    path = accepted(record(path="a.py"), record(path="a.py", completion="3\n"))
    assert completion_texts(path, 100) == [
        ("a.py", b"a = 1\nb = 2\n"),
        ("line-2/a.py", b"a = 3\nb = 2\n"),
    ]


def test_only_whole_lines_near_the_completion_are_kept(accepted):
    path = accepted(
        record(
            path="a.py",
            prefix="one = 1\ntwo = 2\nthree = ",
            completion="3\n",
            suffix="four = 4\nfive = 5\n",
        )
    )
    # 17 characters back lie inside `one = 1`'s line break; 10 forward inside `five`.
    assert completion_texts(path, 17) == [("a.py", b"two = 2\nthree = 3\nfour = 4\n")]
    assert completion_texts(path, 20)[0][1].startswith(b"two = 2\n")
    assert completion_texts(path, 11) == [("a.py", b"three = 3\nfour = 4\n")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 is not JSON"),
        ("[]", "must be a JSON object, found list"),
        ('{"prefix": "a"}', "needs a text 'completion'"),
        ('{"prefix": "a", "completion": "b"}', "needs a 'language'"),
        ('{"prefix": "a", "completion": "b", "language": "cobol"}', "python, bsl"),
    ],
)
def test_a_wrong_line_is_named(accepted, line, message):
    with pytest.raises(CorpusError, match=message):
        completion_texts(accepted(line), 100)


def test_a_missing_file_says_what_is_wanted(tmp_path):
    with pytest.raises(SourceNotFound, match="one JSON object a line"):
        open_source(parse_source(f"completions:{tmp_path}/none.jsonl"))


def test_accepted_completions_become_a_corpus(accepted, function_text):
    path = accepted(
        *(
            {"prefix": "", "completion": function_text(number), "language": "python"}
            for number in range(24)
        )
    )
    corpus = build_corpus(
        CorpusConfig(sources=(CompletionsSource(type="completions", path=str(path)),))
    )
    assert {document.text for document in corpus.documents} == {
        function_text(number) for number in range(24)
    }
    assert {document.source for document in corpus.documents} == {f"completions:{path}"}
