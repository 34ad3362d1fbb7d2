"""A repository → findings that can be proven: syntax, semantics, architecture."""
