"""/models, /deployments and the rest of what Replicate's clients ask of models, by the official client and by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from replicate.client import Client

from tests.serving import Served, serving

MODELS = ("demo=scripted:?tokens=3", "acme/old=scripted:?answer=Old", "acme/new=scripted:?answer=New&tokens=1")
ONE = {"acme/old": {"replicate": "acme/one"}, "acme/new": {"replicate": "acme/one"}}
HARDWARE = {"cpu": 0.0001, "h100": 0.001525}


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with serving(*MODELS, "acme/new=scripted:?answer=New&tokens=1", model=ONE, hardware=HARDWARE) as served:
        yield served


@pytest.fixture
async def http(server: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{server.url}/replicate/v1") as client:
        yield client


@pytest.fixture
def replicate(server: Served) -> Iterator[Client]:
    """The official client, as users make it."""
    client = Client(api_token="r8_any", base_url=f"{server.url}/replicate")
    yield client
    client._client.close()


async def calling(ask: Callable[[], Any]) -> Any:
    """What the client, which blocks, is answered."""
    return await asyncio.wait_for(asyncio.to_thread(ask), 20)


async def test_the_client_lists_every_model(replicate: Client) -> None:
    page = await calling(replicate.models.list)
    assert sorted(f"{model.owner}/{model.name}" for model in page.results) == ["acme/one", "hearth/demo"]
    assert page.next is None


async def test_the_client_reads_a_model_and_its_versions(replicate: Client) -> None:
    model = await calling(lambda: replicate.models.get("acme/one"))
    versions = (await calling(model.versions.list)).results
    assert versions[0].id == model.latest_version.id
    assert len(versions) == 2 and all(len(version.id) == 64 for version in versions)
    found = await calling(lambda: model.versions.get(versions[1].id))
    assert found.openapi_schema["components"]["schemas"]["Output"]["x-cog-array-type"] == "iterator"


async def test_an_old_version_answers_by_its_digits_and_the_newest_by_its_name(replicate: Client) -> None:
    model = await calling(lambda: replicate.models.get("acme/one"))
    newest, oldest = (await calling(model.versions.list)).results
    asked = {"prompt": "Hi"}
    for ref, told in (
        (f"acme/one:{oldest.id}", "Old"),
        (f"acme/one:{newest.id}", "New"),
        ("acme/one", "New"),
    ):
        said = await calling(lambda ref=ref: "".join(replicate.run(ref, input=asked)))  # type: ignore[misc]
        assert told in said


async def test_words_are_searched_whichever_way_they_are_quoted(http: httpx.AsyncClient) -> None:
    for body in ("acme", '"ACME one"', ' "one" '):
        found = (await http.request("QUERY", "/models", content=body)).json()
        assert [model["name"] for model in found["results"]] == ["one"]
    assert (await http.request("QUERY", "/models", content="nothing like it")).json()["results"] == []


async def test_the_client_searches(replicate: Client) -> None:
    found = await calling(lambda: replicate.models.search("demo"))
    assert [model.name for model in found.results] == ["demo"]
    told = await calling(lambda: replicate._client.get("/v1/search", params={"query": "one", "limit": 1}).json())
    assert [each["model"]["name"] for each in told["models"]] == ["one"]


async def test_a_model_is_registered_described_and_deleted(replicate: Client, http: httpx.AsyncClient) -> None:
    made = await calling(
        lambda: replicate.models.create("acme", "soon", visibility="private", hardware="cpu", description="Comes.")
    )
    assert (made.description, made.visibility, made.latest_version) == ("Comes.", "private", None)
    refused = await http.post("/models/acme/soon/predictions", json={"input": {"prompt": "Hi"}})
    assert refused.status_code == 422 and "hearth push" in refused.json()["detail"]
    changed = await http.patch("/models/acme/soon", json={"readme": "# Soon", "github_url": "https://x.example/soon"})
    assert changed.json()["github_url"] == "https://x.example/soon"
    readme = await http.get("/models/acme/soon/readme")
    assert (readme.text, readme.headers["content-type"]) == ("# Soon", "text/plain; charset=utf-8")
    renamed = await http.patch("/models/acme/soon", json={"name": "later"})
    assert renamed.status_code == 422 and "keeps its name" in renamed.json()["detail"]
    assert (await http.patch("/models/acme/soon", json={"owner": "acme", "name": "soon"})).status_code == 200
    again = await http.post("/models", json={"owner": "acme", "name": "soon", "visibility": "private"})
    assert again.status_code == 409
    assert (await http.delete("/models/acme/soon")).status_code == 204
    assert (await http.get("/models/acme/soon")).status_code == 404


async def test_what_the_settings_name_is_neither_made_anew_nor_deleted(http: httpx.AsyncClient) -> None:
    made = await http.post("/models", json={"owner": "acme", "name": "one", "visibility": "public", "hardware": "cpu"})
    assert made.status_code == 409
    assert (await http.delete("/models/acme/one")).status_code == 403
    [version, _] = (await http.get("/models/acme/one/versions")).json()["results"]
    assert (await http.delete(f"/models/acme/one/versions/{version['id']}")).status_code == 403
    assert (await http.get("/models/acme/one/readme")).status_code == 404
    assert (await http.get("/models/acme/one/examples")).json()["results"] == []


@pytest.mark.parametrize(
    ("name", "told"), [(".", "`.` or `..`"), ("..", "`.` or `..`"), ("n" * 200, "at most"), ("a b", "letters")]
)
async def test_a_name_that_no_address_keeps_is_refused(http: httpx.AsyncClient, name: str, told: str) -> None:
    [version, _] = (await http.get("/models/acme/one/versions")).json()["results"]
    deployment = {"name": f"acme/{name}", "model": "acme/one", "version": version["id"]}
    for path, body in (("/models", {"owner": "acme", "name": name}), ("/deployments", deployment)):
        refused = await http.post(path, json=body)
        assert refused.status_code == 400 and told in refused.json()["detail"], refused.text
    refused = await http.post(f"/models/acme/{quote(name).replace('.', '%2E')}/versions", content=b"")
    assert refused.status_code == 400 and told in refused.json()["detail"], refused.text


async def test_whoever_asks_beside_the_api_is_told_where_it_is(server: Served) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        for prefix in ("", "/v1"):
            for path in ("/predictions", "/models/hearth/demo/predictions", "/deployments/a/b/predictions"):
                told = await http.post(f"{prefix}{path}", json={"input": {}})
                assert told.status_code == 404 and told.headers["content-type"] == "application/problem+json"
                assert told.json()["detail"].endswith(f"REPLICATE_BASE_URL={server.url}/replicate")
        assert (await http.get("/v1/models/hearth/demo/predictions")).json()["error"]["code"] == "unknown_model"
        assert (await http.get("/v1/models/demo")).status_code == 200


async def test_models_come_in_pages_and_in_order(http: httpx.AsyncClient) -> None:
    for number in range(30):
        await http.post("/models", json={"owner": "acme", "name": f"m{number:02}", "visibility": "private"})
    asked = {"sort_by": "model_created_at", "sort_direction": "asc"}
    first = (await http.get("/models", params=asked)).json()
    second = (await http.get(first["next"])).json()
    names = [model["name"] for page in (first, second) for model in page["results"]]
    assert len(names) == 32 and names[-30:] == [f"m{number:02}" for number in range(30)]
    assert second["next"] is None
    assert (await http.get("/models", params={"sort_by": "beauty"})).status_code == 400


async def test_the_client_asks_who_it_is_and_what_models_run_on(replicate: Client) -> None:
    account = await calling(replicate.accounts.current)
    assert account.username == "local"
    kinds = await calling(replicate.hardware.list)
    assert [kind.sku for kind in kinds] == ["cpu", "h100"]


async def test_collections_are_made_of_what_models_give(replicate: Client) -> None:
    listed = await calling(replicate.collections.list)
    assert "language-models" in [collection.slug for collection in listed.results]
    found = await calling(lambda: replicate.collections.get("language-models"))
    assert sorted(model.name for model in found.models) == ["demo", "one"]
    assert (await calling(lambda: replicate.collections.get("files"))).models == []


async def test_nothing_is_trained(replicate: Client, http: httpx.AsyncClient) -> None:
    assert (await calling(replicate.trainings.list)).results == []
    [version, _] = (await http.get("/models/acme/one/versions")).json()["results"]
    path = f"/models/acme/one/versions/{version['id']}/trainings"
    refused = await http.post(path, json={"destination": "acme/two", "input": {}})
    assert refused.status_code == 422 and "trained" in refused.json()["detail"]
    assert (await http.get("/trainings/none")).status_code == 404


async def test_a_deployment_is_made_asked_changed_and_deleted(
    server: Served, replicate: Client, http: httpx.AsyncClient
) -> None:
    model = await calling(lambda: replicate.models.get("acme/one"))
    newest, oldest = (await calling(model.versions.list)).results
    made = await calling(
        lambda: replicate.deployments.create(
            name="app", model="acme/one", version=oldest.id, hardware="cpu", min_instances=0, max_instances=1
        )
    )
    assert (made.owner, made.name, made.current_release.number) == ("local", "app", 1)
    prediction = await calling(
        lambda: replicate.deployments.predictions.create("local/app", input={"prompt": "Hi"}, wait=True)
    )
    await calling(prediction.wait)
    assert "Old" in "".join(prediction.output)
    changed = await calling(
        lambda: replicate.deployments.update(
            deployment_owner="local", deployment_name="app", version=newest.id, min_instances=1, max_instances=2
        )
    )
    assert changed.current_release.number == 2
    assert [seat.is_pinned for seat in server.gateway.pool.models["acme/new"].seats] == [True, False]
    assert [each.name for each in (await calling(replicate.deployments.list)).results] == ["app"]
    too_many = await http.patch("/deployments/local/app", json={"max_instances": 3})
    assert too_many.status_code == 422 and "2 engines" in too_many.json()["detail"]
    assert await calling(lambda: replicate.deployments.delete("local", "app"))
    assert (await http.get("/deployments/local/app")).status_code == 404


async def test_whoever_is_no_administrator_changes_nothing_of_what_is_served() -> None:
    async with serving("demo=scripted:", admin_key="admin-secret") as served, httpx.AsyncClient() as http:
        http.base_url = httpx.URL(f"{served.url}/replicate/v1")
        admin = {"authorization": "Bearer admin-secret"}
        created = await http.post(f"{served.url}/admin/keys", json={"name": "me"}, headers=admin)
        me = {"authorization": f"Token {created.json()['secret']}"}
        assert (await http.get("/models/hearth/demo", headers=me)).status_code == 200
        assert (await http.get("/models/hearth/demo")).status_code == 401
        for method, path in (
            ("POST", "/models"),
            ("PATCH", "/models/hearth/demo"),
            ("DELETE", "/models/hearth/demo"),
            ("POST", "/models/acme/one/versions"),
            ("POST", "/deployments"),
            ("DELETE", "/deployments/a/b"),
        ):
            assert (await http.request(method, path, headers=me, json={})).status_code == 403, (method, path)
