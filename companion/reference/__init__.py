"""The code that the chapters print: NumPy only, one instance, a page at most.

Chapter: optnet.md.
"""
