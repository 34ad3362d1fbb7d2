"""Sources → documents, accepted or refused with a reason, split without leaks.

`build.build_corpus`, `preflight.preflight` and `render`, `shards.save_corpus` and `load_corpus`.
"""
