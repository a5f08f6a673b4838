"""Folders and files of the user's, read only, and the scan that reads them."""
