"""Recognises pictures by their bytes, decodes them within limits, and reduces them to what is compared."""
