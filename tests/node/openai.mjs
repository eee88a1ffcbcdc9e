// The official Node SDK on any engine. Arguments: base URL, model. Prints what it was told, for the test to judge.
import OpenAI from "openai";

const [baseURL, model] = process.argv.slice(2);
const sdk = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0, timeout: 60_000 });
const messages = [{ role: "user", content: "Once upon a time" }];
const ask = { model, messages, max_tokens: 8, temperature: 0 };

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    const { name } = error.constructor;
    return { name, status: error.status, code: error.code, param: error.param, id: typeof error.requestID };
  }
  throw new Error("this should have failed");
}

const { data: plain, response } = await sdk.chat.completions.create(ask).withResponse();

const chunks = [];
const stream = await sdk.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } });
for await (const chunk of stream) chunks.push(chunk);

let helped;
const helper = sdk.chat.completions.stream(ask).on("content", (delta, whole) => (helped = whole));
await helper.done().catch((error) => {
  // The helper takes an answer that ends at its limit for an error.
  if (!(error.cause ?? error).constructor.name.startsWith("LengthFinishReason")) throw error;
});

const completion = { model, prompt: ["Once", "Upon"], max_tokens: 6, temperature: 0 };
const texts = (await sdk.completions.create(completion)).choices.map((choice) => choice.text);
const streamed = ["", ""];
for await (const chunk of await sdk.completions.create({ ...completion, stream: true })) {
  for (const choice of chunk.choices) streamed[choice.index] += choice.text;
}

const models = [];
for await (const each of sdk.models.list()) models.push(each.id);

console.log(
  JSON.stringify({
    plain,
    location: response.headers.get("location"),
    generation: response.headers.get("x-generation-id"),
    request: [plain._request_id, response.headers.get("x-request-id")],
    chunks,
    helped,
    texts,
    streamed,
    models,
    retrieved: (await sdk.models.retrieve(model)).id,
    unknown: await failure(sdk.chat.completions.create({ ...ask, model: "nobody" })),
    wrong: await failure(sdk.chat.completions.create({ ...ask, temperature: 3 })),
  }),
);
