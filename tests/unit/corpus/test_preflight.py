import io
import json

from rich.console import Console

from nested_ray.config.corpus import CorpusConfig, FolderSource
from nested_ray.corpus.build import build_corpus
from nested_ray.corpus.preflight import preflight, render


def shown(report):
    console = Console(file=io.StringIO(), width=160)
    console.print(render(report))
    return console.file.getvalue()


def report_of(root):
    return preflight(build_corpus(CorpusConfig(sources=(FolderSource(path=str(root)),))))


def test_numbers_are_those_of_the_files(write, function_text):
    texts = [f"# é\n{function_text(number)}" for number in range(25)]
    root = write(
        {f"f{number:02}.py": text for number, text in enumerate(texts)} | {"x.py": "", "y.md": ""}
    )
    report = report_of(root)
    size_bytes = sum(len(text.encode()) for text in texts)
    assert (report.files, report.documents, report.num_refused, report.num_other_language) == (
        25,
        25,
        1,
        1,
    )
    assert report.size_bytes == size_bytes
    assert report.characters == sum(map(len, texts)) == size_bytes - 25
    assert report.lines == sum(len(text.splitlines()) for text in texts)
    assert report.estimated_tokens == round(size_bytes / 3.4)
    assert sum(side.documents for side in report.splits.values()) == 25
    assert sum(side.size_bytes for side in report.splits.values()) == size_bytes
    assert report.languages == {"python": 25}
    assert report.licences == {"unknown": 25}
    assert [(group.reason, group.files, group.examples) for group in report.refused] == [
        ("empty", 1, ("x.py",))
    ]


def test_report_is_plain_json(write, function_text):
    root = write({f"f{number}.py": function_text(number) for number in range(25)})
    report = report_of(root)
    assert json.loads(json.dumps(report.to_dict()))["splits"]["test"]["documents"] >= 1


def test_one_file_is_counted_as_one_and_the_cut_is_told(write, function_text):
    root = write({"a.py": "\n\n".join(map(function_text, range(14)))})
    report = report_of(root)
    assert report.files == 1 and report.documents > 3
    assert report.advice[0].startswith("The corpus is small (1 file), so files were cut")


def test_terminal_shows_what_was_refused_and_why(write, function_text):
    root = write(
        {f"f{number}.py": function_text(number) for number in range(25)}
        | {"[red]odd.py": b"\x00", "pb2.py": "# @generated\n"}
    )
    text = shown(report_of(root))
    assert "generated: generated or minified" in text
    assert "pb2.py: line 1 says '@generated'" in text
    assert "[red]odd.py: NUL or control bytes" in text  # not taken for markup
    assert "(estimate: bytes / 3.4)" in text


def test_advice_speaks_of_credentials_and_unknown_licences(write, function_text):
    key = "AKIA" + "Q3EGRZ7TNVKWPL2D"
    root = write(
        {f"f{number}.py": function_text(number) for number in range(25)}
        | {"s.py": f"k = '{key}'\n"}
    )
    advice = " ".join(report_of(root).advice)
    assert "pragma: allowlist secret" in advice
    assert "No licence was found for 25 of 25 files" in advice
