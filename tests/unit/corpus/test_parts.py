from hypothesis import given
from hypothesis import strategies as st

from nested_ray.config.corpus import SplitConfig
from nested_ray.corpus.parts import cut, cut_documents, definition_starts, paragraph_starts
from nested_ray.corpus.split import split_documents


def test_bsl_module_is_cut_with_its_annotations_and_comments(make_document):
    method = (
        "// Описание.\n//\n&НаСервере\nПроцедура Провести{0}(Отказ) Экспорт\n"
        "\tСообщить(\"Документ {0} проведен\");\n\tОтказ = Ложь;\nКонецПроцедуры\n\n"
    )  # fmt: skip
    text = "".join(method.format(number) for number in range(20))
    document = make_document(text, "Модуль.bsl", "bsl")
    starts = definition_starts(document)
    assert starts == [
        number for number in range(len(text)) if text.startswith("// Описание", number)
    ]
    parts = split_documents([document], SplitConfig())
    assert {each.split for each in parts} == {"train", "validation", "test"}
    assert all(each.text.startswith("// Описание") for each in parts)


def test_decorators_and_comments_stay_with_their_definition(make_document):
    text = "import os\n\n\n# why\n@cache\ndef f():\n    pass\n\n\nclass C:\n    def m(self):\n        pass\n"
    assert definition_starts(make_document(text)) == [text.index("# why"), text.index("class C")]


def test_code_without_definitions_is_cut_at_blank_lines(make_document):
    text = "\n\n".join(f"x{number} = {number}\ny{number} = x{number} * 2\n" for number in range(40))
    parts = split_documents([make_document(text)], SplitConfig())
    assert {each.split for each in parts} == {"train", "validation", "test"}
    assert "".join(each.text for each in parts) == text


def test_paragraphs_start_after_blank_lines():
    assert paragraph_starts("a\n\n b\nc\n \n\nd") == [3, 11]


@given(
    st.text(st.sampled_from("ab \n#@:()'\"\t=") | st.characters(exclude_categories=["Cs"])),
    st.integers(1, 80),
)
def test_parts_of_any_text_make_the_text_again(make_document, text, min_chars):
    assert "".join(part.text for part in cut(make_document(text), min_chars)) == text


def test_few_short_files_are_cut_finely(make_document):
    documents = [
        make_document("".join(f"def f{n}{m}():\n    return {n * m}\n" for m in range(5)), f"{n}.py")
        for n in range(3)
    ]
    parts = cut_documents(documents)
    assert len({part.path for part in parts}) == len(parts) >= 12
    assert {part.cut_from for part in parts} == {"0.py", "1.py", "2.py"}
