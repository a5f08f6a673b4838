"""hashindex demo and its sample pictures."""
