"""What goes wrong, and what to do about it. SPENT_TOKEN is a key whose budget is used up, if there is one."""

import os

import replicate
from replicate.exceptions import ModelError, ReplicateError


def ask(client: replicate.Client, model: str, input: dict[str, object]) -> str:
    try:
        return "".join(client.run(model, input=input))
    except ModelError as error:
        return f"the model failed: {error.prediction.error}"
    except ReplicateError as error:
        match error.status:
            case 401:
                return f"401: set REPLICATE_API_TOKEN ({error.detail})"
            case 402:
                return f"402: raise the key's budget ({error.detail})"
            case 404:
                return f"404: look the model's name up ({error.detail})"
            case 422:
                return f"422: mend the input ({error.detail.strip()})"
        raise


client = replicate.Client()
question = {"prompt": "Tell me a story about a cat."}

print(ask(replicate.Client(api_token="r8_wrong"), "hearth/campfire", question))
if "SPENT_TOKEN" in os.environ:
    print(ask(replicate.Client(api_token=os.environ["SPENT_TOKEN"]), "hearth/campfire", question))
print(ask(client, "hearth/no-such-model", question))
print(ask(client, "hearth/campfire", {"prompt": "Tell me a story.", "temperature": "hot"}))
