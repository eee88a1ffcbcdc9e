"""Fixtures for every test."""

pytest_plugins = ["tests.browser", "tests.vllm_server"]
