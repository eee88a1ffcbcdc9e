"""The sentences stories are made of."""
