"""Fixtures for every test."""

pytest_plugins = ["tests.browser", "tests.redis_server", "tests.vllm_server"]
