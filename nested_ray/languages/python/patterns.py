"""Names in the patterns of `case`: captured, or compared with."""

from __future__ import annotations

from nested_ray.languages.python.walk import Visit, Walk, split_first


def read_pattern(walk: Walk, visit: Visit) -> None:
    node = visit.node
    if node.type == "identifier":
        walk.record(node, visit.scope, "variable")
    elif node.type == "dotted_name":
        # A name by itself is bound, a dotted one is a value to compare with.
        is_capture = node.named_child_count == 1
        for name in node.named_children[:1]:
            walk.record(name, visit.scope, "variable" if is_capture else None)
    elif node.type == "class_pattern":
        _read_class_pattern(walk, visit)
    elif node.type == "keyword_pattern":
        walk.push(Visit(child, visit.scope, "pattern") for child in node.named_children[1:])
    else:
        walk.push_parts(visit, "pattern")


def _read_class_pattern(walk: Walk, visit: Visit) -> None:
    owner, others = split_first(visit.node.named_children)
    if owner is not None:
        name = owner.named_children[0] if owner.named_children else owner
        walk.record(name, visit.scope, None)
    walk.push(Visit(child, visit.scope, "pattern") for child in others)
