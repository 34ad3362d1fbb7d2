"""The report keeps its values through JSON and shows every predictor once per metric."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from nested_ray.evals.report import (
    Calibration,
    EvalReport,
    PredictorRow,
    Scores,
    SuffixUse,
    render,
    render_markdown,
)


@pytest.fixture
def report() -> EvalReport:
    rows = [
        PredictorRow("memory", True, Scores(1.25, 0.5, 0.25, 0.6)),
        PredictorRow("architecture", False, Scores(2.0, 0.25, 0.0, 0.3)),
        PredictorRow("architecture", True, Scores(1.125, 0.515, 0.26, 0.61)),
        PredictorRow("ensemble", False, Scores(1.9, 0.26, 0.01, 0.31)),
        PredictorRow("ensemble", True, Scores(1.124, 0.517, 0.27, 0.62)),
    ]
    calibrations = {"architecture": Calibration(0.4, 0.3, 0.8)}
    suffix = {"architecture": SuffixUse(read=0.25, unread=0.375)}
    return EvalReport(tuple(rows), calibrations, 16_384, 50_000, 100, seed=3, suffix=suffix)


def test_report_round_trips_through_json(report):
    assert EvalReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_report_of_another_format_is_refused(report):
    with pytest.raises(ValueError, match="format 9"):
        EvalReport.from_dict(report.to_dict() | {"format": 9})


def test_markdown_has_memory_level_and_both_side_by_side(report):
    lines = render_markdown(report).splitlines()
    assert lines[2] == ("| bits per byte ↓ | architecture | 1.250 | 2.000 | 1.125 |")
    assert "| line exact % | ensemble | 25.0 | 1.0 | 27.0 |" in lines
    assert lines[-2:] == [
        "test split: 16,384 tokens (50,000 bytes), 100 lines; seed 3",
        "Text behind the cursor, by validation lines: architecture is not shown it (25.0 % with, 37.5 % without)",
    ]


def test_a_level_whose_lines_are_as_good_with_the_suffix_reads_it(report):
    read = replace(report, suffix={"architecture": SuffixUse(read=0.5, unread=0.5)})
    assert "architecture reads it (50.0 % with, 50.0 % without)" in render_markdown(read)
    assert render_markdown(replace(report, suffix={})).endswith("seed 3\n")


def test_terminal_table_fits_eighty_columns(report):
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render(report))
    text = console.export_text()
    assert "with memory" in text
    table, _ = text.split("seed 3")
    assert table.count("architecture") == table.count("ensemble") == 4


def test_unmeasured_predictor_is_a_key_error(report):
    with pytest.raises(KeyError, match="logic alone"):
        report.scores("logic", with_memory=False)
