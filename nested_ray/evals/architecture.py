"""What the architecture level is worth on one code base: places recovered, planted faults found, time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nested_ray.analyzers.architecture.placement.samples import read_samples
from nested_ray.analyzers.architecture.placement.training import learnable_places, place_indices
from nested_ray.analyzers.architecture.structure import read_structure
from nested_ray.config.architecture import PlacementConfig
from nested_ray.evals.pattern_samples import PatternScore
from nested_ray.evals.planting import (
    OnProgress,
    Planted,
    plant_cycles,
    plant_layer_breaks,
    plant_moves,
)
from nested_ray.evals.recovery import Recovery, measure_recovery
from nested_ray.repository.base import Repository


@dataclass(frozen=True)
class ArchitectureScores:
    """Everything measured on one code base."""

    name: str
    num_files: int
    num_units: int
    num_links: int
    recovery: Recovery | None
    """None where fewer than two packages have five modules."""
    planted: tuple[Planted, ...]


def measure_architecture(
    repository: Repository, *, name: str, count: int, seed: int, on_progress: OnProgress
) -> ArchitectureScores:
    """Hide places, plant `count` faults of each kind, and see what the level makes of it."""
    structure = read_structure(repository)
    units, packages = structure.units, structure.packages
    planted = [
        plant_cycles(units, count, seed, inside=False, on_progress=on_progress),
        plant_cycles(units, count, seed, inside=True, on_progress=on_progress),
        plant_layer_breaks(packages, count, seed),
    ]
    on_progress("reading words", 0, 1)
    samples = read_samples(repository, structure.layout)
    places = learnable_places(structure.layout)
    if len(places) >= 2:
        planted.append(
            plant_moves(
                samples,
                place_indices(structure.layout, places),
                places,
                count=2 * count,
                seed=seed,
                min_confidence=PlacementConfig().min_confidence,
                on_progress=on_progress,
            )
        )
    on_progress("recovering places", 0, 1)
    return ArchitectureScores(
        name,
        len(repository.files),
        len(units.nodes),
        sum(edge.count for edge in units.edges.values()),
        measure_recovery(samples, structure.layout.package_of),
        tuple(planted),
    )


def scores_table(scores: ArchitectureScores) -> str:
    """Markdown of one code base."""
    lines = [
        f"**{scores.name}**: {scores.num_files:,} files, {scores.num_units:,} modules and objects, "
        f"{scores.num_links:,} links",
        "",
    ]
    recovery = scores.recovery
    if recovery is not None:
        lines += [
            f"| own place of {recovery.num_units:,} hidden units, {recovery.num_places} places, 5 folds "
            "| accuracy | macro F1 |",
            "|---|---|---|",
            f"| largest place | {recovery.largest_place:.1%} | |",
            f"| LinearSVC on identifier parts | {recovery.words_accuracy:.1%} | {recovery.words_macro_f1:.1%} |",
            f"| words and links | **{recovery.accuracy:.1%}** | **{recovery.macro_f1:.1%}** |",
            f"| of those with probability ≥ 0.9 ({recovery.sure_share:.1%}) | {recovery.sure_accuracy:.1%} | |",
            "",
        ]
    lines += [
        "| planted | number | found | recall | at the link itself | new findings | precision | findings before |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {each.kind} | {each.num_planted} | {each.num_found} | {each.recall:.1%} | {each.num_named} | {each.num_new} "
            f"| {each.precision:.1%} | {each.num_before} |"
            for each in scores.planted
        ),
    ]
    return "\n".join(lines) + "\n"


def patterns_table(title: str, scores: Sequence[PatternScore]) -> str:
    """Markdown of pattern recognition, with all patterns together in the last row."""
    right = sum(score.num_right for score in scores)
    wrong = sum(score.num_wrong for score in scores)
    missed = sum(score.num_missed for score in scores)
    rows = [*scores, PatternScore("**all**", right, wrong, missed)]
    return (
        "\n".join(
            [
                f"| {title} | samples | precision | recall |",
                "|---|---|---|---|",
                *(
                    f"| {row.pattern} | {row.num_right + row.num_missed} | {row.precision:.1%} | {row.recall:.1%} |"
                    for row in rows
                ),
            ]
        )
        + "\n"
    )
