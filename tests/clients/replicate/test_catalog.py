"""Models, versions, deployments, and the account."""

from __future__ import annotations

import secrets

from tests.clients.replicate.conftest import ADMIN
from tests.clients.replicate.speaker import Speaker

QUESTION = {"prompt": "hello"}


def test_a_model_shows_its_newest_version_and_what_it_takes(client: Speaker) -> None:
    model = client("model", name="hearth/campfire")
    assert (model["owner"], model["name"]) == ("hearth", "campfire")
    version = model["latest_version"]
    assert len(version["id"]) == 64
    given = version["openapi_schema"]["components"]["schemas"]["Input"]
    assert {"prompt", "max_tokens"} <= given["properties"].keys()
    assert client("versions", name="hearth/campfire") == [version["id"]]


def test_models_are_listed_and_found(client: Speaker) -> None:
    assert {"hearth/campfire", "hearth/quick"} <= {*client("models")}
    assert "hearth/campfire" in client("search", query="campfire")


def test_the_account_the_hardware_and_the_collections_can_be_looked_at(client: Speaker) -> None:
    assert client("account")["username"]
    assert all(each["sku"] and each["name"] for each in client("hardware"))
    assert isinstance(client("collections"), list)


def test_a_deployment_is_made_asked_changed_and_removed(client: Speaker) -> None:
    chief = client.sending(token=ADMIN)
    name = f"mine-{secrets.token_hex(4)}"
    version = chief("versions", name="hearth/quick")[0]
    wanted = {"model": "hearth/quick", "version": version, "hardware": "cpu", "min_instances": 0, "max_instances": 1}
    made = chief("deploy", name=name, **wanted)
    assert made["current_release"]["number"] == 1
    owner = made["owner"]
    assert f"{owner}/{name}" in chief("deployments")

    begun = chief("deploy_and_create", deployment=f"{owner}/{name}", input=QUESTION)
    assert chief("wait", id=begun["id"])["status"] == "succeeded"

    changed = chief("redeploy", owner=owner, name=name, min_instances=1)
    assert changed["current_release"]["number"] == 2
    chief("redeploy", owner=owner, name=name, min_instances=0)
    assert chief("undeploy", owner=owner, name=name) in (True, None), "0.31.0 gives nothing back"
    assert f"{owner}/{name}" not in chief("deployments")
