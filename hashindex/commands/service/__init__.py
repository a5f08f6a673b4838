"""hashindex service: watch in the background."""
