"""The user's folders and files: listed, compared and read, never written."""
