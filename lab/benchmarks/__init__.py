"""Measurements: ours against stock django-eventstream, and the costs of our own parts.

`python -m lab.benchmarks` runs them and prints Markdown. Every server, client and publisher is a
process of its own on loopback, bounded in count and time.
"""
