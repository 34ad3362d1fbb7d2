"""The journal of a run, its TensorBoard files, and the page made of them."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from nested_ray.config.train import TrainConfig
from nested_ray.distill.exchange import ExchangeReport
from nested_ray.train.charts import Axis, Series, line_chart, short
from nested_ray.train.fitted import FitReport, LevelFit
from nested_ray.train.journal import JOURNAL_FILE, Journal, read_journal
from nested_ray.train.progress import LevelProgress
from nested_ray.train.run_report import render, solo_twin, write_report

CONFIG = TrainConfig.from_values(
    {
        "name": "tiny",
        "corpus": {"sources": [{"type": "folder", "path": "unused"}]},
        "levels": [{"name": "syntax", "kind": "syntax", "weight": 1.0}],
    }
)
FIT = FitReport(
    {"syntax": LevelFit("syntax", Path("m"), 9, 900, 4.5, None, 90.0, 10.0, 5, 4, 3, 2, 1)},
    ExchangeReport(),
    seconds=11.0,
)


def progress(step, **more):
    values = {"loss": 5.0 - step / 10, "tokens_seen": 100 * step, "accuracy": step / 100, **more}
    return {"syntax": LevelProgress("syntax", 40, "training", step=step, **values)}


def write(folder, *steps):
    folder.mkdir(exist_ok=True)
    with Journal(folder) as journal:
        for step in steps:
            journal.note(progress(step))


def test_a_line_is_written_when_a_level_has_moved(tmp_path):
    write(tmp_path, 0, 1, 1, 4)
    lines = [json.loads(line) for line in (tmp_path / JOURNAL_FILE).read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 4]
    assert (lines[1]["loss"], lines[1]["tokens_seen"], lines[1]["level"]) == (4.6, 400, "syntax")


def test_steps_made_again_after_a_restart_replace_those_before(tmp_path):
    write(tmp_path, 1, 2, 3, 4)
    write(tmp_path, 3, 5)
    assert [line["step"] for line in read_journal(tmp_path)["syntax"]] == [1, 2, 3, 5]


def test_a_line_cut_off_by_a_crash_is_left_out(tmp_path):
    write(tmp_path, 1, 2)
    path = tmp_path / JOURNAL_FILE
    path.write_bytes(path.read_bytes()[:-10])
    assert [line["step"] for line in read_journal(tmp_path)["syntax"]] == [1]


def test_tensorboard_finds_the_same_numbers(tmp_path):
    write(tmp_path, 1, 4)
    (events,) = (tmp_path / "tensorboard" / "syntax").glob("events*")
    told = {}
    for record in records(events.read_bytes()):
        event = Event.FromString(record)
        for value in event.summary.value:
            told[value.tag, event.step] = value.simple_value
    assert told["loss", 4] == pytest.approx(4.6)
    assert told["accuracy", 1] == pytest.approx(0.01)
    assert ("kd", 1) not in told  # nothing was heard of a peer


def records(data):
    """TFRecord: length u64, its checksum u32, the record, its checksum u32."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        yield data[at + 12 : at + 12 + size]
        at += 16 + size


def test_the_page_holds_a_curve_per_level_and_its_solo_twin(tmp_path):
    run, twin = tmp_path / "tiny-1", tmp_path / "tiny-solo-2"
    for folder, steps in ((run, (1, 2, 5)), (twin, (1, 3))):
        write(folder, *steps)
        (folder / "run.json").write_text(json.dumps({"config_digest": "same"}))
    page = write_report(run, CONFIG, FIT).read_text()
    charts = [ET.fromstring(chart) for chart in svgs(page)]
    loss = next(chart for chart in charts if "Cross-entropy" in chart.attrib["aria-label"])
    lines = loss.findall("polyline")
    assert [line.find("title").text for line in lines] == ["syntax", "syntax solo"]
    assert [len(line.attrib["points"].split()) for line in lines] == [3, 2]
    assert ["stroke-dasharray" in line.attrib for line in lines] == [False, True]
    assert "http" not in page  # it needs nothing else to be shown


def svgs(page):
    return ["<svg" + part.split("</svg>")[0] + "</svg>" for part in page.split("<svg")[1:]]


def test_a_solo_run_of_other_settings_is_no_twin(tmp_path):
    for name, digest in (("tiny-1", "a"), ("tiny-solo-1", "b")):
        write(tmp_path / name, 1)
        (tmp_path / name / "run.json").write_text(json.dumps({"config_digest": digest}))
    assert solo_twin(tmp_path / "tiny-1", CONFIG) == {}


def test_names_are_escaped(tmp_path):
    page = render("<b>", {}, {}, FIT)
    assert "<b>" not in page and "&lt;b&gt;" in page


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (4.5, 6.2, [4.6, 4.8, 5, 5.2, 5.4, 5.6, 5.8, 6, 6.2]),
    ],
)
def test_ticks_are_round_numbers_inside_the_range(low, high, expected):
    assert Axis(low, high, 0, 100).ticks() == pytest.approx(expected)


def test_values_are_placed_in_proportion():
    chart = ET.fromstring(line_chart("t", "x", [Series("s", [(0, 1), (5, 2), (10, 3)], "#000")]))
    points = [
        tuple(map(float, p.split(","))) for p in chart.find("polyline").attrib["points"].split()
    ]
    assert points[1][0] == pytest.approx((points[0][0] + points[2][0]) / 2, abs=0.1)
    assert points[0][1] > points[1][1] > points[2][1]  # up is more


def test_a_chart_without_points_is_nothing():
    assert line_chart("t", "x", [Series("s", [], "#000")]) == ""


def test_long_curves_are_thinned_and_keep_their_end():
    many = [(float(x), 1.0) for x in range(5_000)]
    chart = ET.fromstring(line_chart("t", "x", [Series("s", many, "#000")]))
    points = chart.find("polyline").attrib["points"].split()
    assert 300 <= len(points) <= 601
    assert points[-1].startswith("628.0,")


@pytest.mark.parametrize(("value", "text"), [(1_200_000, "1.2M"), (350, "350"), (0.004, "0.004")])
def test_numbers_are_shown_short(value, text):
    assert short(value) == text
