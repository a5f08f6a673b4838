"""Perceptual hashes and the search among them. Pure."""
