"""Scan, groups, query and the other questions to the catalogue."""
