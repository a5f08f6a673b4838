"""Copies, variants and strangers told apart."""
