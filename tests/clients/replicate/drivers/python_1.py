"""The Python client before its second major version: 0.31.0 and 1.0.7."""

from __future__ import annotations

import io
import json
from typing import Any

from replicate.client import Client
from replicate.pagination import paginate
from replicate.webhook import Webhooks, WebhookSigningSecret

from tests.clients.replicate.drivers import lines


def client(token: str, base: str | None) -> Any:
    return Client(api_token=token, base_url=base)


def run(client: Any, model: str, input: Any, **options: Any) -> Any:
    return client.run(model, input=input, **options)


def run_with_file(client: Any, model: str, name: str, content: str, **input: Any) -> Any:
    file = io.BytesIO(content.encode())
    file.name = "speech.txt"
    return client.run(model, input={name: file, **input})


def stream(client: Any, model: str, input: Any) -> Any:
    return [[event.event.value, event.data] for event in client.stream(model, input=input)]


def create(client: Any, input: Any, **options: Any) -> Any:
    return shown(client.predictions.create(input=input, **options))


def deploy_and_create(client: Any, deployment: str, input: Any) -> Any:
    return shown(client.deployments.predictions.create(deployment, input=input))


def wait(client: Any, id: str) -> Any:
    prediction = client.predictions.get(id)
    prediction.wait()
    return shown(prediction)


def create_and_iterate(client: Any, input: Any, **options: Any) -> Any:
    return client.predictions.create(input=input, **options).output_iterator()


def read(client: Any, id: str) -> Any:
    return [[event.event.value, event.data] for event in client.predictions.get(id).stream()]


def get(client: Any, id: str) -> Any:
    return shown(client.predictions.get(id))


def cancel(client: Any, id: str) -> Any:
    return shown(client.predictions.cancel(id))


def pages(client: Any) -> Any:
    return [[prediction.id for prediction in page.results] for page in paginate(client.predictions.list)]


def model(client: Any, name: str) -> Any:
    return shown(client.models.get(name))


def models(client: Any) -> Any:
    return [f"{model.owner}/{model.name}" for page in paginate(client.models.list) for model in page.results]


def search(client: Any, query: str) -> Any:
    return [f"{model.owner}/{model.name}" for model in client.models.search(query).results]


def versions(client: Any, name: str) -> Any:
    return [version.id for version in client.models.get(name).versions.list()]


def account(client: Any) -> Any:
    return shown(client.accounts.current())


def hardware(client: Any) -> Any:
    return [shown(each) for each in client.hardware.list()]


def collections(client: Any) -> Any:
    return [each.slug for each in client.collections.list()]


def deploy(client: Any, **wanted: Any) -> Any:
    return shown(client.deployments.create(**wanted))


def redeploy(client: Any, owner: str, name: str, **wanted: Any) -> Any:
    return shown(client.deployments.update(owner, name, **wanted))


def deployments(client: Any) -> Any:
    return [f"{each.owner}/{each.name}" for each in client.deployments.list()]


def undeploy(client: Any, owner: str, name: str) -> Any:
    return client.deployments.delete(owner, name)


def upload(client: Any, content: str, metadata: Any = None) -> Any:
    file = io.BytesIO(content.encode())
    file.name = "notes.txt"
    return shown(client.files.create(file, metadata=metadata) if metadata else client.files.create(file))


def file(client: Any, id: str) -> Any:
    return shown(client.files.get(id))


def files(client: Any) -> Any:
    return [each.id for each in client.files.list()]


def delete_file(client: Any, id: str) -> Any:
    return client.files.delete(id)


def secret(client: Any) -> Any:
    return client.webhooks.default.secret().key


def validate(client: Any, headers: dict[str, str], body: str, secret: str) -> Any:
    Webhooks.validate(headers=headers, body=body, secret=WebhookSigningSecret(key=secret), tolerance=60)
    return True


def shown(resource: Any) -> Any:
    return json.loads(resource.json())


if __name__ == "__main__":
    lines.obey({name: deed for name, deed in globals().items() if callable(deed)}, client)
