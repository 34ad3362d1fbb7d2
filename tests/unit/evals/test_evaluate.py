"""The closing table against second computations, token by token and line by line."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from rapidfuzz.distance import Indel
from transformers import AutoModelForCausalLM

from nested_ray.config.train import EvaluationConfig
from nested_ray.errors import NoUsableFiles
from nested_ray.evals.evaluate import evaluate
from nested_ray.evals.forgetting import Forgetting, forgetting_rows, measure_forgetting
from nested_ray.evals.report import EvalReport
from nested_ray.inference.base import Prompt, SamplingParams
from nested_ray.inference.bundle import read_spec
from nested_ray.inference.loading import load_engine
from nested_ray.inference.scoring import probabilities
from nested_ray.inference.writer import Draft
from nested_ray.memory import MemoryState, MixingWeights, NgramIndex

SMALL = EvaluationConfig(max_windows=5, max_lines=6, max_line_tokens=12)


@pytest.fixture(scope="module")
def evaluated(nest, tmp_path_factory):
    """The nest directory after its evaluation, the report, and what progress was told."""
    source, validation, test = nest
    folder = tmp_path_factory.mktemp("evaluated") / "nest"
    shutil.copytree(source, folder)
    told: list[tuple[int, int, str]] = []
    report = evaluate(folder, validation, test, SMALL, lambda *args: told.append(args))
    return folder, report, told


def test_every_predictor_is_measured_and_written_down(evaluated):
    folder, report, _ = evaluated
    predictors = {(row.name, row.with_memory) for row in report.rows}
    assert predictors == {
        ("memory", True),
        *((name, mixed) for name in ("syntax", "semantics", "ensemble") for mixed in (False, True)),
    }
    assert EvalReport.from_dict(json.loads((folder / "report.json").read_text())) == report
    thresholds = {level.name: level.confidence_threshold for level in read_spec(folder).levels}
    assert thresholds == {name: found.threshold for name, found in report.calibrations.items()}


def test_progress_ends_at_its_total(evaluated):
    _, _, told = evaluated
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1][0] == told[-1][1] == 2 * (5 + 6) + 6  # validation lines before their suffix


def test_a_nest_beside_itself_has_forgotten_nothing(nest, evaluated):
    _, _, test = nest
    folder, report, _ = evaluated
    told = []
    forgetting = measure_forgetting(
        folder, folder, {"new": test}, SMALL, lambda *args: told.append(args)
    )
    assert told[-1][0] == told[-1][1] == 2 * (5 + 6)
    assert forgetting.num_bytes == {"new": report.num_bytes}
    assert {(change.name, change.with_memory): change.before for change in forgetting.changes} == {
        (row.name, row.with_memory): row.scores for row in report.rows
    }
    assert all(change.before == change.after for change in forgetting.changes)
    assert Forgetting.from_dict(json.loads(json.dumps(forgetting.to_dict()))) == forgetting
    names = [name for name, _ in forgetting_rows(forgetting)]
    assert names[:3] == ["memory", "syntax", "syntax + memory"]


def test_levels_with_memory_are_not_worse_than_memory_on_an_untrained_nest(evaluated):
    _, report, _ = evaluated
    memory = report.scores("memory", with_memory=True)
    for name in ("syntax", "semantics", "ensemble"):
        mixed = report.scores(name, with_memory=True)
        assert mixed.bits_per_byte <= memory.bits_per_byte + 1e-6
        assert mixed.token_accuracy >= memory.token_accuracy
        assert mixed.line_exact_match >= memory.line_exact_match
        assert mixed.line_edit_similarity >= memory.line_edit_similarity


def test_token_scores_equal_a_loop_over_the_tokens(nest, evaluated):
    _, _, test = nest
    folder, report, _ = evaluated
    engine = load_engine(folder, "syntax")
    model = AutoModelForCausalLM.from_pretrained(folder / "levels" / "syntax").eval()
    index = NgramIndex.load(folder / "memory")
    memory_mixing = MixingWeights.from_json((folder / "memory" / "mixing.json").read_text())
    level_mixing = MixingWeights.from_json((folder / "levels/syntax/mixing.json").read_text())
    is_text = np.array([len(engine.tokenizer.token_bytes(i)) > 0 for i in range(index.vocab_size)])
    sums = {"memory": [0.0, 0], "level": [0.0, 0], "mixed": [0.0, 0]}
    num_tokens = num_bytes = 0
    for row in test.sample_windows(SMALL.max_windows):
        facts = test.rows["syntax"][row]
        ids, start = facts["input_ids"], facts["window_start"]
        state = MemoryState(index)
        for token in test.tokens.document(facts["document"])[: facts["token_start"]]:
            state.append(int(token))
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0]
        for position in range(start, len(ids)):
            gold, recall = ids[position], state.recall()
            state.append(gold)
            if not is_text[gold]:
                continue
            level = torch.softmax(logits[position - 1], -1).numpy()
            found = {
                "memory": memory_mixing.mix(recall),
                "level": level,
                "mixed": level_mixing.mix(
                    recall, np.where(is_text, level, 0) / level[is_text].sum()
                ),
            }
            for name, probs in found.items():
                probs = np.where(is_text, probs, 0) / probs[is_text].sum()
                sums[name][0] -= math.log2(probs[gold])
                sums[name][1] += int(probs.argmax() == gold)
            num_tokens += 1
            num_bytes += len(engine.tokenizer.token_bytes(gold))
    assert (report.num_tokens, report.num_bytes) == (num_tokens, num_bytes)
    for name, scores in {
        "memory": report.scores("memory", with_memory=True),
        "level": report.scores("syntax", with_memory=False),
        "mixed": report.scores("syntax", with_memory=True),
    }.items():
        bits, right = sums[name]
        assert scores.bits_per_byte == pytest.approx(bits / num_bytes, rel=1e-4)
        assert scores.token_accuracy == pytest.approx(right / num_tokens)


@pytest.mark.parametrize("use_memory", [True, False])
def test_line_scores_equal_what_the_served_engine_writes(nest, evaluated, use_memory):
    _, _, test = nest
    folder, report, _ = evaluated
    engine = load_engine(folder, "semantics")
    params = SamplingParams(max_tokens=12, stop=("\n",), use_memory=use_memory)
    exact, similarity = [], []
    for task in test.lines[:6]:
        prompt = Prompt(task.prefix, path=task.path, language=task.language)
        text = "".join(chunk.text for chunk in engine.stream(prompt, params))
        exact.append(text.strip() == task.line.strip())
        similarity.append(Indel.normalized_similarity(text.strip(), task.line.strip()))
    scores = report.scores("semantics", with_memory=use_memory)
    assert scores.line_exact_match == pytest.approx(np.mean(exact))
    assert scores.line_edit_similarity == pytest.approx(np.mean(similarity))


def test_evaluating_again_gives_the_same_files(nest, evaluated):
    _, validation, test = nest
    folder, _, _ = evaluated
    names = ("report.json", "nest.json", "memory/mixing.json", "levels/syntax/mixing.json")
    before = {name: (folder / name).read_bytes() for name in names}
    evaluate(folder, validation, test, SMALL)
    assert {name: (folder / name).read_bytes() for name in names} == before


def test_splits_without_lines_of_code_still_get_weights_and_token_scores(nest, tmp_path):
    source, validation, test = nest
    folder = shutil.copytree(source, tmp_path / "nest")
    report = evaluate(folder, replace(validation, lines=[]), replace(test, lines=[]), SMALL)
    assert report.num_lines == 0
    assert report.scores("memory", with_memory=True).bits_per_byte > 0
    assert load_engine(folder, "syntax").memory.mixing is not None


def test_split_without_windows_is_refused(nest):
    folder, validation, test = nest
    empty = replace(test, rows={name: rows.select([]) for name, rows in test.rows.items()})
    with pytest.raises(NoUsableFiles, match="no code to evaluate on"):
        evaluate(folder, validation, empty, SMALL)


@pytest.mark.parametrize("level", ["syntax", "semantics"])
def test_a_level_is_shown_the_suffix_where_that_makes_its_lines_no_worse(nest, evaluated, level):
    _, validation, _ = nest
    folder, report, _ = evaluated
    engine = load_engine(folder, level)
    params = SamplingParams(max_tokens=12, stop=("\n",))
    means = []
    for reads in (True, False):
        similarity = []
        for task in validation.lines[:6]:
            prompt = Prompt(task.prefix, task.suffix, path=task.path, language=task.language)
            encoded = engine.prompts.reading_suffix(reads).encode(prompt, params.max_tokens)
            draft = Draft(
                engine.writer(encoded, engine.memory.read(encoded)), stop=params.stop, max_tokens=12
            )
            text, ids = "", list(encoded.input_ids)
            while draft.finish_reason is None:
                _, logits_BV = engine.decoder.prefill([ids])
                text += draft.write(probabilities(logits_BV[0])).text
                ids.append(draft.last_id)
            similarity.append(Indel.normalized_similarity(text.strip(), task.line.strip()))
        means.append(np.mean(similarity))
    assert (report.suffix[level].read, report.suffix[level].unread) == pytest.approx(tuple(means))
    assert read_spec(folder).level(level).reads_suffix == (means[0] >= means[1])
