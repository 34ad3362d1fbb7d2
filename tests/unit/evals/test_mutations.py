import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.evals.bsl_judge import stays_valid
from nested_ray.evals.mutations import KINDS, mutations
from nested_ray.languages import get_language
from nested_ray.languages.base import TokenKind

BSL = get_language("bsl")
TEXT = """#Область О
Процедура П(А, Знач Б = 1) Экспорт // примечание
	Если А.Свойство = "текст" Тогда
		Вызвать(А[0], Б);
	КонецЕсли;
КонецПроцедуры
#КонецОбласти
"""


def words(text: str) -> list[str]:
    tokens = [token for token in BSL.tokens(text) if token.kind is not TokenKind.COMMENT]
    return [text[token.span.start : token.span.end] for token in tokens]


def test_each_kind_changes_what_it_says() -> None:
    before = words(TEXT)
    for mutation in mutations(BSL, TEXT, seed=7, count=80):
        after = words(mutation.text)
        changed = words(mutation.text[mutation.offset : mutation.end])
        if mutation.kind == "delete":
            assert len(after) == len(before) - 1 and changed == []
        elif mutation.kind == "duplicate":
            assert len(after) == len(before) + 1 and changed[0] == changed[1]
        elif mutation.kind == "swap":
            assert sorted(after) == sorted(before) and len(changed) == 2
        assert after != before


def test_same_seed_gives_the_same_texts_and_kinds_take_turns() -> None:
    first = list(mutations(BSL, TEXT, seed=1, count=12))
    assert first == list(mutations(BSL, TEXT, seed=1, count=12))
    assert first != list(mutations(BSL, TEXT, seed=2, count=12))
    assert [mutation.kind for mutation in first] == list(KINDS) * 3


@pytest.mark.parametrize("text", ["", "// only a comment", "А"])
def test_text_too_short_to_change_gives_nothing(text: str) -> None:
    assert list(mutations(BSL, text, seed=1, count=4)) == []


def test_checker_and_judge_agree_on_every_change() -> None:
    disagreements = [
        mutation
        for mutation in mutations(BSL, TEXT, seed=3, count=400)
        if (BSL.check(mutation.text) is None) != stays_valid(mutation.text)
    ]
    assert disagreements == []


BSL_WORDS = (
    'Если Тогда КонецЕсли Иначе Для Каждого Из Цикл КонецЦикла А .Б ( ) [ ] = ; , "с" + Не Новый '
    "Процедура КонецПроцедуры П() Возврат Ждать Асинх &А ~М: Перейти ~М ? Попытка Исключение "
    "КонецПопытки ВызватьИсключение Прервать Перем Экспорт Знач 1 ДобавитьОбработчик Выполнить "
    "\n#Если_Сервер_Тогда\n \n#Иначе\n \n#КонецЕсли\n \n#Область_А\n"
)
fragments = st.lists(st.sampled_from(BSL_WORDS.split(" ")), max_size=14)


@given(fragments.map(lambda parts: " ".join(parts).replace("_", " ")))
@settings(max_examples=200)
def test_checker_and_judge_agree_on_any_text(text: str) -> None:
    assert (BSL.check(text) is None) == stays_valid(text)


def test_judge_refuses_to_follow_hostile_nesting() -> None:
    with pytest.raises(ValueError, match="too deeply"):
        stays_valid("А = " + "(" * 500 + "1" + ")" * 500)
