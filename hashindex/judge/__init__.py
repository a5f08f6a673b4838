"""Tells what two pictures are to each other. Pure."""
