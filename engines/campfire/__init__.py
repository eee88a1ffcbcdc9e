"""Campfire: a very small language model that tells a short story about whatever it is asked for."""
