"""Decides whether two pictures are copies, variants or different. Does no I/O except in pair_judge.py."""
