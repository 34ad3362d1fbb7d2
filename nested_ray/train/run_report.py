"""report.html of a run: the curves of all levels, their solo twins, and how the exchange fared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from nested_ray.config.train import TrainConfig
from nested_ray.files import write_text
from nested_ray.train.charts import COLOURS, Series, line_chart
from nested_ray.train.fit_report import exchange_sentence
from nested_ray.train.fitted import FitReport, LevelFit
from nested_ray.train.journal import read_journal
from nested_ray.train.rundir import newest_number

REPORT_PAGE = "report.html"
CHARTS = (
    ("loss", "Cross-entropy of training batches, nats a token (smoothed)"),
    ("accuracy", "Tokens predicted right (smoothed share)"),
    ("kd", "Distillation term before its factor, nats a token (smoothed)"),
    ("lr", "Learning rate"),
    ("tokens_per_second", "Tokens a second"),
    ("targets_used", "Peers' records learned from"),
)
COLUMNS = (
    ("steps", "steps"),
    ("tokens_seen", "tokens"),
    ("tokens_per_second", "tokens/s"),
    ("train_loss", "loss"),
    ("kd_loss", "KD"),
    ("seconds", "seconds"),
    ("targets_published", "sent"),
    ("targets_used", "used"),
    ("targets_stale", "too old"),
    ("targets_lost", "lost"),
    ("targets_dropped", "dropped"),
)
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem }
svg { width: 100%; font-size: 11px } svg text { fill: currentColor } .grid { stroke: #8884 }
.title { font-size: 13px; font-weight: 600 }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: 1rem }
table { border-collapse: collapse } td, th { padding: .25em .7em; text-align: right;
border-bottom: 1px solid #8884 } td:first-child, th:first-child { text-align: left }
.key { display: inline-block; width: 1.6em; border-top: 3px solid; margin: 0 .4em .25em 1em }
@media (prefers-color-scheme: dark) { body { background: #16161a; color: #e4e4e8 } }
"""

Journals = Mapping[str, Sequence[Mapping[str, Any]]]


def write_report(run_dir: Path, config: TrainConfig, fit: FitReport) -> Path:
    """Write the page into the run folder; it needs nothing else to be shown."""
    page = run_dir / REPORT_PAGE
    write_text(page, render(run_dir.name, read_journal(run_dir), solo_twin(run_dir, config), fit))
    return page


def solo_twin(run_dir: Path, config: TrainConfig) -> Journals:
    """The journal of the newest run of the same settings without exchange; empty where there is none."""
    name = f"{config.name}-solo"
    number = newest_number(run_dir.parent, name)
    twin = run_dir.parent / f"{name}-{number}"
    if not number or twin == run_dir or digest_of(twin) != digest_of(run_dir):
        return {}
    return read_journal(twin)


def digest_of(run_dir: Path) -> str | None:
    try:
        return json.loads((run_dir / "run.json").read_text(encoding="utf-8"))["config_digest"]
    except (OSError, ValueError, KeyError):
        return None


def render(title: str, levels: Journals, twins: Journals, fit: FitReport) -> str:
    """The whole page."""
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(fit.levels)}
    charts = "".join(chart(key, label, levels, twins, colours) for key, label in CHARTS)
    exchange = exchange_sentence(fit.exchange) or "trained without exchange"
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{escape(title)}</title>"
        f"<meta name=viewport content='width=device-width'><style>{STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1><p>{legend(colours, has_twins=bool(twins))}</p>"
        f"<div class=charts>{charts}</div>"
        f"<h2>What came of it</h2>{table(fit)}<p>{escape(exchange)}</p></body></html>\n"
    )


def chart(
    key: str, label: str, levels: Journals, twins: Journals, colours: Mapping[str, str]
) -> str:
    series = [
        Series(f"{name}{' solo' * is_solo}", list(points(journal[name], key)), colour, is_solo)
        for journal, is_solo in ((levels, False), (twins, True))
        for name, colour in colours.items()
        if name in journal
    ]
    return line_chart(label, "tokens seen", series)


def points(lines: Sequence[Mapping[str, Any]], key: str) -> Iterator[tuple[float, float]]:
    for line in lines:
        if line.get(key) is not None:
            yield float(line["tokens_seen"]), float(line[key])


def legend(colours: Mapping[str, str], *, has_twins: bool) -> str:
    keys = "".join(
        f"<span class=key style='color:{colour}'></span>{escape(name)}"
        for name, colour in colours.items()
    )
    return keys + (" (dashed: the same settings without exchange)" if has_twins else "")


def table(fit: FitReport) -> str:
    heads = "".join(f"<th>{label}</th>" for _, label in COLUMNS)
    rows = "".join(row(level) for level in fit.levels.values())
    return f"<table><tr><th>level</th>{heads}</tr>{rows}</table>"


def row(level: LevelFit) -> str:
    cells = "".join(f"<td>{shown(getattr(level, key))}</td>" for key, _ in COLUMNS)
    return f"<tr><td>{escape(level.level)}</td>{cells}</tr>"


def shown(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"
