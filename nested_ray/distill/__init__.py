"""Logits of one level → soft targets on the wire → a loss term of another level."""
