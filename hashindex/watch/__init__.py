"""The daemon that hashes pictures as they come."""
