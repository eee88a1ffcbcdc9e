// A service that is told when an answer is there.
// `POST /ask {"prompt": …}` begins a prediction, `GET /answers/{id}` gives what was told of it. Start it with
// `WEBHOOK_URL=https://this.example/webhook PORT=3000 node webhook-service.mjs`.
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import Replicate, { validateWebhook } from "replicate";

const replicate = new Replicate({ baseUrl: process.env.REPLICATE_BASE_URL });
const { key: secret } = await replicate.webhooks.default.secret.get();
const answers = new Map();

async function ask(body) {
  const { id } = await replicate.predictions.create({
    model: "hearth/campfire",
    input: { prompt: JSON.parse(body).prompt },
    webhook: process.env.WEBHOOK_URL,
    webhook_events_filter: ["completed"],
  });
  return [200, id];
}

async function heard(body, headers) {
  const signed = await validateWebhook({ headers, body }, secret).catch(() => false);
  if (!signed) return [401, "not signed by the server that was asked"];
  // The same message may come twice: keeping it again changes nothing.
  const prediction = JSON.parse(body);
  answers.set(prediction.id, prediction);
  return [200, null];
}

function answer(id) {
  return answers.has(id) ? [200, answers.get(id)] : [404, "no answer yet"];
}

async function route({ method, url, headers }, body) {
  if (method === "POST" && url === "/ask") return ask(body);
  if (method === "POST" && url === "/webhook") return heard(body, headers);
  if (method === "GET" && url.startsWith("/answers/")) return answer(url.slice("/answers/".length));
  return [404, "no such route"];
}

const server = createServer(async (request, response) => {
  const [status, said] = await route(request, await text(request));
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(said));
});
server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => console.log(`port ${server.address().port}`));
