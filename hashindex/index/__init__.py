"""Scan, groups, query and the other queries of the catalogue."""
