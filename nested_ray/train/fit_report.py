"""The report of a training: as a table, as plain values and back, as metrics of the registry."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from nested_ray.distill.exchange import ExchangeReport
from nested_ray.train.fitted import FitReport, LevelFit


def level_metrics(level: LevelFit) -> dict[str, float]:
    """The numbers of a level's training that the registry keeps."""
    facts = asdict(level)
    return {name: float(value) for name, value in facts.items() if isinstance(value, int | float)}


def fit_table(fit: FitReport) -> Table:
    """What each level learned from, and what the levels told each other."""
    said = [exchange_sentence(fit.exchange), *map(remote_sentence, fit.remote, fit.remote.values())]
    caption = "\n".join(filter(None, said)) or None
    table = Table(title="training", caption=caption, padding=(0, 0))
    table.add_column("level", no_wrap=True)
    for heading in ("steps", "tokens", "tok/s", "loss", "sent", "used", "old", "lost", "dropped"):
        table.add_column(heading, justify="right", no_wrap=True)
    for level in fit.levels.values():
        loss = "–" if level.train_loss is None else f"{level.train_loss:.3f}"
        table.add_row(
            level.level,
            f"{level.steps:,}",
            f"{level.tokens_seen:,}",
            f"{level.tokens_per_second:,.0f}",
            loss,
            *(
                f"{count:,}"
                for count in (
                    level.targets_published,
                    level.targets_used,
                    level.targets_stale,
                    level.targets_lost,
                    level.targets_dropped,
                )
            ),
        )
    return table


def exchange_sentence(exchange: ExchangeReport) -> str | None:
    """What went through the exchange; None when nothing did."""
    if not exchange.published:
        return None
    published, delivered, dropped = (
        sum(counts.values())
        for counts in (exchange.published, exchange.delivered, exchange.dropped)
    )
    return (
        f"exchange: {published:,} records of {exchange.bytes_per_token:.0f} bytes a token, "
        f"delivered {delivered:,} times, {dropped:,} made room for newer ones"
    )


def remote_sentence(name: str, facts: dict[str, Any]) -> str:
    """What a remote level cost and gave, and why it fell silent if it did."""
    why = f"; then silent: {facts['silent_because']}" if facts["silent_because"] else ""
    return (
        f"{name}, remote: {facts['requests']:,} requests ({facts['failures']:,} without an answer), "
        f"{facts['prompt_tokens']:,} prompt and {facts['completion_tokens']:,} completion tokens; "
        f"taught {facts['tokens_taught']:,} tokens of {facts['batches']:,} batches{why}"
    )


def fit_to_dict(fit: FitReport) -> dict[str, Any]:
    values = asdict(fit)
    for level in values["levels"].values():
        level["model_dir"] = str(level["model_dir"])
    return values


def fit_from_dict(values: dict[str, Any]) -> FitReport:
    levels = {
        name: LevelFit(**{**facts, "model_dir": Path(facts["model_dir"])})
        for name, facts in values["levels"].items()
    }
    exchange, notes = ExchangeReport(**values["exchange"]), tuple(values.get("notes", ()))
    return FitReport(levels, exchange, values["seconds"], notes, values.get("remote", {}))
