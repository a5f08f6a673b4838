"""Hashes, who is near whom by them, groups and queries."""
