"""Placement: what belongs where, judged without the item's own vote."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from nested_ray.analyzers.architecture import PlacementModel, train_placement
from nested_ray.analyzers.architecture.misplaced import find_misplaced, judge, rank_places
from nested_ray.analyzers.architecture.placement.calibration import misplaced
from nested_ray.analyzers.architecture.placement.ridge import fit_ridge
from nested_ray.analyzers.architecture.placement.words import (
    code_only,
    count_names,
    count_words,
    parts,
)
from nested_ray.errors import ConfigError

from .conftest import themed_texts


def test_names_are_cut_where_people_cut_them():
    assert parts("ПолучитьURLФайла2") == ("получить", "url", "файла", "2")
    assert parts("read_HTTPResponse") == ("read", "http", "response")


def test_comments_and_documentation_do_not_count():
    python = 'def f():\n    """Invoice."""\n    return "# kept"  # gone\n'
    assert "Invoice" not in code_only(python, "python") and "kept" in code_only(python, "python")
    bsl = 'А = "// текст"; // примечание\n'
    assert code_only(bsl, "bsl") == 'А = "// текст";' + " " * 14 + "\n"


@given(st.text(alphabet="ab\"'#/\n\\ ", max_size=60), st.sampled_from(["python", "bsl"]))
def test_what_is_blanked_out_keeps_every_offset(text, language):
    code = code_only(text, language)
    assert len(code) == len(text)
    assert all(new in (old, " ") for old, new in zip(text, code, strict=True))


def test_hidden_names_do_not_count():
    names = count_names("Склад.Остаток(СкладГруппа)")
    assert count_words(names, {"склад"}) == Counter({"остаток": 1, "склад": 1, "группа": 1})


def test_held_out_scores_are_those_of_a_model_fitted_without_the_unit():
    generator = np.random.default_rng(0)
    vectors = sparse.csr_matrix(generator.random((12, 7)))
    places = np.arange(12) % 3
    ridge = fit_ridge(vectors, places, 3)
    for unit in range(12):
        others = np.delete(np.arange(12), unit)
        refitted = fit_ridge(vectors[others], places[others], 3)
        expected = vectors[[unit]] @ refitted.weights_VC
        assert ridge.held_out_NC[unit] == pytest.approx(expected[0], abs=1e-4)
        assert ridge.without(unit, vectors[[unit]])[0] == pytest.approx(expected[0], abs=1e-4)


def test_confidence_follows_bayes():
    said = np.array([[0.001, 0.998, 0.001], [0.5, 0.3, 0.2]])
    # 0.999 * 0.02 / 2 against 0.001 * 0.98; 0.5 * 0.02 / 2 against 0.5 * 0.98
    expected = [0.00999 / (0.00999 + 0.00098), 0.005 / 0.495]
    assert misplaced(said, np.array([0, 0]), 0.02) == pytest.approx(expected)


def test_every_module_is_placed_where_it_stands(structure_of, themed):
    structure = structure_of(themed)
    judged = judge(structure)
    assert judged is not None and judged.model.places == ("billing", "graphics", "network")
    for path in themed:
        if not path.endswith("__init__.py"):
            assert rank_places(structure, judged, path)[0][0] == path.partition("/")[0]


def test_a_function_in_the_wrong_package_is_found(structure_of):
    themed = themed_texts(30)
    themed["graphics/part3.py"] += (
        "\n\ndef settle_account(invoice_value, payment_count):\n"
        "    tax_total = make_billing1(invoice_value, payment_count)\n"
        "    customer_amount = make_billing2(tax_total, payment_count)\n"
        "    discount_amount = make_billing4(customer_amount, payment_count)\n"
        "    return make_billing5(discount_amount, tax_total)\n"
    )
    imports = "".join(f"from billing.part{n} import make_billing{n}\n" for n in (1, 2, 4, 5))
    themed["graphics/part3.py"] = imports + themed["graphics/part3.py"]
    structure = structure_of(themed)
    judged = judge(structure)
    assert judged is not None
    found = find_misplaced(judged, structure.layout.package_of, 0.5)
    assert [(each.sample.name, each.place, each.better) for each in found] == [
        ("settle_account", "graphics", "billing")
    ]
    clean = judge(structure_of(themed_texts(30)))
    assert clean is not None and find_misplaced(clean, structure.layout.package_of, 0.5) == []


def test_a_saved_model_says_the_same(repository_of, themed, tmp_path):
    model = train_placement(repository_of(themed))
    assert model is not None
    model.save(tmp_path / "placement")
    loaded = PlacementModel.load(tmp_path / "placement")
    words, uses = {"invoice": 3, "tax": 1, "socket": 1}, {"billing/part1.py": 2}
    assert loaded.rank(words, uses) == model.rank(words, uses)
    assert model.rank(words, uses)[0][0] == "billing"
    assert sum(share for _, share in model.rank(words, uses)) == pytest.approx(1)


def test_a_loaded_model_judges_the_repository(structure_of, repository_of, themed, tmp_path):
    model = train_placement(repository_of(themed))
    assert model is not None
    judged = judge(structure_of(themed), model)
    assert judged is not None
    assert find_misplaced(judged, structure_of(themed).layout.package_of, 0.5) == []


@pytest.mark.parametrize("name", ["placement.json", "placement.safetensors"])
def test_a_damaged_model_is_refused(repository_of, themed, tmp_path, name):
    model = train_placement(repository_of(themed))
    assert model is not None
    model.save(tmp_path)
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(ConfigError, match="no placement model"):
        PlacementModel.load(tmp_path)


def test_there_must_be_a_layout_to_learn(repository_of):
    assert train_placement(repository_of({"a.py": "x = 1\n", "p/b.py": "y = 2\n"})) is None


def test_subsystems_are_the_places_of_a_configuration(structure_of):
    def subsystem(name: str, *content: str) -> str:
        items = "".join(f"<Item>{each}</Item>" for each in content)
        return (
            '<MetaDataObject xmlns="http://v8.1c.ru/8.3/MDClasses"><Subsystem><Properties>'
            f"<Name>{name}</Name><Content>{items}</Content></Properties></Subsystem></MetaDataObject>"
        )

    structure = structure_of(
        {
            "Catalogs/Валюты/Ext/ManagerModule.bsl": "Функция Курс() Экспорт\nКонецФункции\n",
            "CommonModules/Деньги/Ext/Module.bsl": "",
            "Subsystems/Меню.xml": subsystem("Меню", "Catalog.Валюты"),
            "Subsystems/Общие.xml": subsystem("Общие"),
            "Subsystems/Общие/Subsystems/Финансы.xml": subsystem(
                "Финансы", "Catalog.Валюты", "CommonModule.Деньги"
            ),
        }
    )
    assert dict(structure.layout.package_of) == {
        "Catalog.Валюты": "Общие.Финансы",
        "CommonModule.Деньги": "Общие.Финансы",
    }
