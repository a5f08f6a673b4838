"""Values as text and as JSON lines, one module a command."""
