"""The server of `hashindex review`: groups in a browser, decisions, removals and undo."""
