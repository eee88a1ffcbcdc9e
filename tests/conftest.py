"""Fixtures for every test."""

pytest_plugins = ["tests.browser", "tests.redis_server", "tests.redis_cluster", "tests.vllm_server"]
