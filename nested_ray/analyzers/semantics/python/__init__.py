"""Python files → what ruff and the rules over CPython's own syntax tree say of them."""
