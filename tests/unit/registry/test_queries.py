import inspect
import re

from nested_ray.registry import postgres
from nested_ray.registry.migrations import load_queries, migration_files


def test_every_statement_is_used_and_every_used_one_exists() -> None:
    source = inspect.getsource(postgres)
    used = set(re.findall(r"(?:rows\.(?:run|all|one|only)|_read)\(\s*\"(\w+)\"", source))
    assert used == set(load_queries())


def test_every_statement_says_what_it_does() -> None:
    for name, statement in load_queries().items():
        first = statement.decode().splitlines()[0]
        assert re.fullmatch(r"-- [A-Z].+\.", first), name


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = sorted(int(name[:3]) for name in migration_files())
    assert numbers == list(range(1, len(numbers) + 1))
