"""Policies: YAML rules, the facts they speak of, and how a condition is decided."""
