"""The machine it runs on: what is wrong there, services in the background, settings, samples."""
