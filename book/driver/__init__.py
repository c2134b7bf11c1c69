"""Build driver: environment, evidence, chapters, site, checks and tests."""
