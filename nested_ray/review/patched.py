"""A unified diff and the files it is about → both versions of them, whether it is applied already or not yet."""

from __future__ import annotations

from collections.abc import Sequence

from nested_ray.errors import InvalidRequest
from nested_ray.languages import language_of
from nested_ray.repository.base import SourceFile
from nested_ray.repository.metadata import MetadataText
from nested_ray.review.change import Change, compare
from nested_ray.review.patch import FilePatch, parse_patch


def of_patch(
    files: Sequence[SourceFile], metadata: Sequence[MetadataText], patch: str
) -> tuple[list[SourceFile], Change]:
    """The files after a diff, and the change it makes; files of no known language are left out of it.

    Where it fits both ways, it counts as applied. Raises InvalidRequest for a diff that is broken or
    fits neither way.
    """
    patches = [each for each in parse_patch(patch) if language_of(each.path) is not None]
    given = {file.path: file for file in files}
    before = _patched(given, patches[::-1], backwards=True)
    if before is not None:
        return list(files), compare(list(before.values()), files, metadata)
    after = _patched(given, patches, backwards=False)
    if after is None:
        names = list(dict.fromkeys(each.path for each in patches))
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        raise InvalidRequest(
            f"the diff of {shown} does not fit the files, neither as applied nor as to be applied; "
            "give the files of the revision that it was made for"
        )
    return list(after.values()), compare(files, list(after.values()), metadata)


def _patched(
    files: dict[str, SourceFile], patches: Sequence[FilePatch], *, backwards: bool
) -> dict[str, SourceFile] | None:
    """The files after some patches, or before them; None when one does not fit."""
    result = dict(files)
    for patch in patches:
        source, target = patch.old_path, patch.new_path
        if backwards:
            source, target = target, source
        held = result.get(source) if source is not None else None
        if source is not None and held is None:
            return None
        if source is None and target in result:
            return None
        text = held.text if held is not None else ""
        text = patch.revert(text) if backwards else patch.apply(text)
        if text is None:
            return None
        if source is not None:
            del result[source]
        if target is not None and (language := language_of(target, text)):
            result[target] = SourceFile(target, language.name, text)
    return result
