"""The report of a training, for people and for `fit.json`."""

import json
from pathlib import Path

from nested_ray.distill.exchange import ExchangeReport
from nested_ray.train.fit_report import (
    exchange_sentence,
    fit_from_dict,
    fit_table,
    fit_to_dict,
    level_metrics,
)
from nested_ray.train.fitted import FitReport, LevelFit

SYNTAX = LevelFit("syntax", Path("models/syntax"), 9, 900, 4.5, None, 90.0, 10.0, 5, 4, 3, 2, 1)
EXCHANGE = ExchangeReport({"syntax": 5, "semantics": 7}, {"syntax": 6}, {"syntax": 2}, 100.0)


def test_a_report_survives_json():
    fit = FitReport({"syntax": SYNTAX}, EXCHANGE, seconds=11.0, notes=("a checkpoint is damaged",))
    assert fit_from_dict(json.loads(json.dumps(fit_to_dict(fit)))) == fit


def test_what_went_through_the_exchange_stands_below_the_table():
    fit = FitReport({"syntax": SYNTAX}, EXCHANGE, seconds=11.0)
    assert fit_table(fit).caption == (
        "exchange: 12 records of 100 bytes a token, delivered 6 times, 2 made room for newer ones"
    )
    assert exchange_sentence(ExchangeReport()) is None


def test_the_registry_keeps_the_numbers_of_a_level():
    metrics = level_metrics(SYNTAX)
    assert (metrics["steps"], metrics["train_loss"], metrics["targets_dropped"]) == (9, 4.5, 1)
    assert "kd_loss" not in metrics and "level" not in metrics
