from collections import Counter

from nested_ray.config.train import TokenizerConfig
from nested_ray.corpus.documents import Document, digest_text
from nested_ray.datasets.lines import MAX_PREFIX_TOKENS, MAX_SUFFIX_CHARS, sample_lines
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.inference.prompts import MAX_PROMPT_TOKENS

PYTHON = '''"""Module text that nobody could guess."""
# a comment of several words

def first(value):
    """Documentation
    over several lines.
    """
    total = value + 1
    )
    return total\x20\x20
'''
BSL = (
    '#Область Имя\n// комментарий\nПроцедура Один()\n\tСообщить("""");\n\tА = 1;\nКонецПроцедуры\n'
)
TOKENIZER = NestTokenizer.train([PYTHON, BSL], TokenizerConfig(vocab_size=512))


def document(path: str, language: str, text: str) -> Document:
    return Document(path, "folder:x", language, text, digest_text(text), None, "test")


def sample(documents, max_lines=100, seed=0, max_line_tokens=None):
    return sample_lines(
        documents, TOKENIZER, max_lines=max_lines, seed=seed, max_line_tokens=max_line_tokens
    )


def test_only_lines_of_code_are_taken():
    found = {task.line for task in sample([document("a.py", "python", PYTHON)])}
    assert found == {"def first(value):", "total = value + 1", "return total"}
    found = {task.line for task in sample([document("a.bsl", "bsl", BSL)])}
    assert found == {"Процедура Один()", 'Сообщить("""");', "КонецПроцедуры"}


def test_prefix_line_and_suffix_are_the_file():
    for task in sample([document("a.py", "python", PYTHON)]):
        assert task.prefix + task.line + task.suffix == PYTHON
        assert task.prefix.rpartition("\n")[2].strip() == ""
        assert (task.path, task.language, task.document) == ("a.py", "python", 0)


def test_no_more_than_the_beginning_of_the_suffix_is_kept():
    text = "import os\nvalue = 1\n" + "# wide\n" * MAX_SUFFIX_CHARS
    (task,) = sample([document("a.py", "python", text)])
    assert task.suffix == ("\n" + "# wide\n" * MAX_SUFFIX_CHARS)[:MAX_SUFFIX_CHARS]


def test_lines_are_spread_over_the_documents():
    documents = [
        document(f"{n}.py", "python", "import os\n" + f"name_{n} = 1\n" * 50) for n in range(10)
    ]
    counts = Counter(task.document for task in sample(documents, max_lines=25))
    assert set(counts) == set(range(10))
    assert set(counts.values()) == {2, 3}


def test_no_line_comes_twice_and_the_sample_is_the_same_again():
    documents = [document("a.py", "python", "\n".join(f"name_{n} = {n}" for n in range(40)))]
    first = sample(documents, max_lines=20)
    assert len({task.prefix for task in first}) == 20
    assert first == sample(documents, max_lines=20) != sample(documents, max_lines=20, seed=1)


def test_long_lines_and_empty_documents_are_left_out():
    documents = [
        document("a.py", "python", "import os\nshort = 1\n" + "value = " + "+ 12" * 50),
        document("b.py", "python", "x"),
    ]
    assert [task.line for task in sample(documents, max_line_tokens=20)] == ["short = 1"]


def test_lines_below_more_text_than_an_engine_takes_are_left_out():
    text = "import os\n" + "".join(f"if name_{n}:\n    name = {n}\n" for n in range(30))
    documents = [document("a.py", "python", text)]
    numbers = {
        task.prefix: len(TOKENIZER.encode(task.prefix)) for task in sample(documents, max_lines=100)
    }
    assert len(numbers) == 60
    for limit in (0, 50, 51, 52, 53, 1000):
        found = sample_lines(documents, TOKENIZER, max_lines=100, seed=0, max_prefix_tokens=limit)
        kept = {task.prefix for task in found}
        inside = {prefix for prefix, count in numbers.items() if count <= limit}
        assert kept <= inside
        assert len(inside - kept) <= 1  # whole lines are counted, the cursor's own included
    assert MAX_PREFIX_TOKENS + 4 * MAX_SUFFIX_CHARS == MAX_PROMPT_TOKENS
