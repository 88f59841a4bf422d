"""Adapters: one provider each, from its answer to an Outcome. No rules here."""
