"""A service that is told when an answer is there.

`POST /ask {"prompt": …}` begins a prediction, `GET /answers/{id}` gives what was told of it. Start it with
`WEBHOOK_URL=https://this.example/webhook uvicorn webhook_service:app --port 3000`.
"""

import os
from typing import Any

import replicate
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel
from replicate.webhook import Webhooks, WebhookValidationError

app = FastAPI()
secret = replicate.webhooks.default.secret()
answers: dict[str, dict[str, Any]] = {}


class Question(BaseModel):
    prompt: str


@app.post("/ask")
def ask(question: Question) -> str:
    prediction = replicate.predictions.create(
        model="hearth/campfire",
        input={"prompt": question.prompt},
        webhook=os.environ["WEBHOOK_URL"],
        webhook_events_filter=["completed"],
    )
    return prediction.id


@app.post("/webhook")
async def webhook(request: Request) -> None:
    body = await request.body()
    try:
        Webhooks.validate(headers=dict(request.headers), body=body.decode(), secret=secret)
    except WebhookValidationError as error:
        raise HTTPException(401, "not signed by the server that was asked") from error
    # The same message may come twice: keeping it again changes nothing.
    prediction = await request.json()
    answers[prediction["id"]] = prediction


@app.get("/answers/{id}")
def answer(id: str) -> dict[str, Any]:
    if id not in answers:
        raise HTTPException(404, "no answer yet")
    return answers[id]
