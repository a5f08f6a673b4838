"""Checks the catalogue and the machine."""
