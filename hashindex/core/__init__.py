"""Values, messages, errors and settings that every other package uses."""
