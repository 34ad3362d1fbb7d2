"""The rules of the architecture level."""

from __future__ import annotations

from nested_ray.analyzers.findings import Rule, Severity

IMPORT_CYCLE = Rule(
    id="architecture/import-cycle",
    summary="Modules import each other while they are loaded.",
    help="Which of them is imported first decides whether names are there yet, so an innocent change "
    "elsewhere can end in ImportError. Move what both need into a module of its own, or import the "
    "name where it is used. The link named is the one whose removal costs the least.",
    severity=Severity.WARNING,
    languages=("python",),
)
DEPENDENCY_CYCLE = Rule(
    id="architecture/dependency-cycle",
    summary="Modules or objects depend on each other in a circle.",
    help="None of them can be understood, tested or moved without all the others. The link named is the "
    "lightest against the direction of the rest: turn it round, pass the value in, or raise an event.",
    severity=Severity.NOTE,
)
LAYER_BREAK = Rule(
    id="architecture/layer-break",
    summary="A file depends on a layer that its own layer must not use.",
    help="The layers are declared in nested-ray.yaml under architecture.layers. Move the code, pass the "
    "dependency in from above, or change the declaration if the design has changed.",
    severity=Severity.ERROR,
)
INFERRED_LAYER_BREAK = Rule(
    id="architecture/inferred-layer-break",
    summary="A few links run against the direction in which a package is used.",
    help="Many links go one way and one or two the other: the exception is usually a slip. Move the "
    "code that needs the upper package up, or declare layers in nested-ray.yaml if it is meant.",
    severity=Severity.WARNING,
)
HUB = Rule(
    id="architecture/hub",
    summary="A module depends on many others and many others depend on it.",
    help="Every change below reaches it and every change of it reaches everything above. Split it along "
    "its users, or move what it uses behind them.",
    severity=Severity.WARNING,
)
UNSTABLE_DEPENDENCY = Rule(
    id="architecture/unstable-dependency",
    summary="A package that many depend on depends on one that depends on many.",
    help="Instability is the share of a package's ties that go out (R. Martin). Dependencies should run "
    "towards the stable: put an interface into the stable package, or move the code that is needed.",
    severity=Severity.NOTE,
)
GOD_MODULE = Rule(
    id="architecture/god-module",
    summary="A module is far larger than the others and falls into parts that do not use each other.",
    help="The parts named in the witness share nothing: each is a module of its own already.",
    severity=Severity.WARNING,
)
ORPHAN_MODULE = Rule(
    id="architecture/orphan-module",
    summary="Nothing in the repository names this module.",
    help="No file depends on it and its name occurs nowhere else, not even in a text or a description. "
    "Take it out, or note who outside of the repository uses it.",
    severity=Severity.NOTE,
)
MISPLACED = Rule(
    id="architecture/misplaced",
    summary="Code has the words and the links of another package or subsystem.",
    help="A classifier learned on the layout of this repository places the code elsewhere, from what it "
    "names and what it is linked to. Move it, or leave it if the package owns it for another reason.",
    severity=Severity.WARNING,
    is_learned=True,
)

RULES = (
    IMPORT_CYCLE,
    DEPENDENCY_CYCLE,
    LAYER_BREAK,
    INFERRED_LAYER_BREAK,
    HUB,
    UNSTABLE_DEPENDENCY,
    GOD_MODULE,
    ORPHAN_MODULE,
    MISPLACED,
)
