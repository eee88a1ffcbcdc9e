"""The Python client's second major version, a beta: other names for the same things."""

from __future__ import annotations

import importlib
import io
import json
import os
import warnings
from typing import Any

from tests.clients.replicate.drivers import lines

replicate: Any = importlib.import_module("replicate")  # mypy knows the version of .venv alone


def client(token: str, base: str | None) -> Any:
    os.environ["REPLICATE_API_TOKEN"] = token  # `stream` makes a client of its own, which looks here alone
    return replicate.Replicate(bearer_token=token, base_url=base)


def run(client: Any, model: str, input: Any, **options: Any) -> Any:
    return client.run(model, input=input, **options)


def run_with_file(client: Any, model: str, name: str, content: str, **input: Any) -> Any:
    return client.run(model, input={name: io.BytesIO(content.encode()), **input})


def stream(client: Any, model: str, input: Any) -> Any:
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return [["output", chunk] for chunk in client.stream(model, input=input)] + [["done", "{}"]]


def create(client: Any, input: Any, model: str | None = None, **options: Any) -> Any:
    if model is None:
        return shown(client.predictions.create(input=input, **options))
    owner, name = model.split("/")
    return shown(client.models.predictions.create(model_owner=owner, model_name=name, input=input, **options))


def deploy_and_create(client: Any, deployment: str, input: Any) -> Any:
    owner, name = deployment.split("/")
    made = client.deployments.predictions.create(deployment_owner=owner, deployment_name=name, input=input)
    return shown(made)


def wait(client: Any, id: str) -> Any:
    return shown(client.predictions.wait(id))


def get(client: Any, id: str) -> Any:
    return shown(client.predictions.get(prediction_id=id))


def cancel(client: Any, id: str) -> Any:
    return shown(client.predictions.cancel(prediction_id=id))


def pages(client: Any) -> Any:
    return [[prediction.id for prediction in page.results] for page in client.predictions.list().iter_pages()]


def model(client: Any, name: str) -> Any:
    owner, name = name.split("/")
    return shown(client.models.get(model_owner=owner, model_name=name))


def models(client: Any) -> Any:
    return [f"{model.owner}/{model.name}" for model in client.models.list()]


def search(client: Any, query: str) -> Any:
    return [f"{model.owner}/{model.name}" for model in client.models.search(body=query)]


def versions(client: Any, name: str) -> Any:
    owner, name = name.split("/")
    return [version.id for version in client.models.versions.list(model_owner=owner, model_name=name)]


def account(client: Any) -> Any:
    return shown(client.account.get())


def hardware(client: Any) -> Any:
    return [shown(each) for each in client.hardware.list()]


def collections(client: Any) -> Any:
    return [each.slug for each in client.collections.list()]


def deploy(client: Any, **wanted: Any) -> Any:
    return shown(client.deployments.create(**wanted))


def redeploy(client: Any, owner: str, name: str, **wanted: Any) -> Any:
    return shown(client.deployments.update(deployment_owner=owner, deployment_name=name, **wanted))


def deployments(client: Any) -> Any:
    return [f"{each.owner}/{each.name}" for each in client.deployments.list()]


def undeploy(client: Any, owner: str, name: str) -> Any:
    client.deployments.delete(deployment_owner=owner, deployment_name=name)
    return True


def upload(client: Any, content: str, metadata: Any = None) -> Any:
    more = {"metadata": metadata} if metadata else {}
    return shown(client.files.create(content=content.encode(), filename="notes.txt", type="text/plain", **more))


def file(client: Any, id: str) -> Any:
    return shown(client.files.get(file_id=id))


def files(client: Any) -> Any:
    return [each.id for each in client.files.list()]


def delete_file(client: Any, id: str) -> Any:
    client.files.delete(file_id=id)
    return True


def secret(client: Any) -> Any:
    return client.webhooks.default.secret.get().key


def shown(resource: Any) -> Any:
    return json.loads(resource.to_json())


if __name__ == "__main__":
    lines.obey({name: deed for name, deed in globals().items() if callable(deed)}, client)
