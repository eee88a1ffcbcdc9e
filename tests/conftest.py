"""Fixtures for every test, and which tests stay together where several processes share them out."""

from pathlib import Path
from typing import Final

import pytest

pytest_plugins = ["tests.browser", "tests.redis_server", "tests.vllm_server"]

_ROOT: Final = Path(__file__).parent.parent
_TOGETHER: Final = ("tests/clients/replicate", "tests/engines/examples")
"""Folders whose files share something that takes long to start; else a file's tests stay together."""
_LONG: Final = ("tests/system", "tests/clients", "tests/engines")
"""What takes long, which is begun first: so that no process has it left when the others have done."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        file = item.path.relative_to(_ROOT).as_posix()
        group = next((folder for folder in _TOGETHER if file.startswith(folder)), file)
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: not item.path.relative_to(_ROOT).as_posix().startswith(_LONG))
