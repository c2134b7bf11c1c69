"""The book's own tools: the build driver, the Sphinx extensions and the styles."""
