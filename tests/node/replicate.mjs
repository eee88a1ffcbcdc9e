// The official Node client does what is written to it, a JSON object a line, and says what came of it in the same way.
import { createInterface } from "node:readline";
import Replicate, { validateWebhook } from "replicate";

const deeds = {
  run: (client, { model, ...options }) => client.run(model, options),
  run_with_file: (client, { model, name, content, ...input }) =>
    client.run(model, { input: { [name]: new Blob([content], { type: "text/plain" }), ...input } }),
  run_with_data_uri: ({ auth, baseUrl }, { model, input }) =>
    new Replicate({ auth, baseUrl, fileEncodingStrategy: "data-uri" }).run(model, { input }),
  stream: async (client, { model, input }) => {
    const events = [];
    for await (const { event, data } of client.stream(model, { input })) events.push([event, data]);
    return events;
  },
  create: (client, options) => client.predictions.create(options),
  deploy_and_create: (client, { deployment, input }) =>
    client.deployments.predictions.create(...deployment.split("/"), { input }),
  wait: async (client, { id }) => client.wait(await client.predictions.get(id)),
  get: (client, { id }) => client.predictions.get(id),
  cancel: (client, { id }) => client.predictions.cancel(id),
  pages: async (client) => {
    const pages = [];
    for await (const page of client.paginate(client.predictions.list)) pages.push(page.map(({ id }) => id));
    return pages;
  },
  model: (client, { name }) => client.models.get(...name.split("/")),
  models: async (client) => {
    const names = [];
    for await (const page of client.paginate(client.models.list)) names.push(...page.map(called));
    return names;
  },
  search: async (client, { query }) => (await client.models.search(query)).results.map(called),
  versions: async (client, { name }) =>
    (await client.models.versions.list(...name.split("/"))).results.map(({ id }) => id),
  account: (client) => client.accounts.current(),
  hardware: (client) => client.hardware.list(),
  collections: async (client) => (await client.collections.list()).results.map(({ slug }) => slug),
  deploy: (client, wanted) => client.deployments.create(wanted),
  redeploy: (client, { owner, name, ...wanted }) => client.deployments.update(owner, name, wanted),
  deployments: async (client) => (await client.deployments.list()).results.map(called),
  undeploy: (client, { owner, name }) => client.deployments.delete(owner, name),
  upload: (client, { content, metadata }) =>
    client.files.create(new File([content], "notes.txt", { type: "text/plain" }), metadata),
  file: (client, { id }) => client.files.get(id),
  files: async (client) => (await client.files.list()).results.map(({ id }) => id),
  delete_file: (client, { id }) => client.files.delete(id),
  secret: async (client) => (await client.webhooks.default.secret.get()).key,
  validate: (_, { headers, body, secret }) => validateWebhook({ headers, body }, secret),
};

const called = ({ owner, name }) => `${owner}/${name}`;

// What can be written as JSON: files as their address and bytes.
async function plain(value) {
  if (value instanceof ReadableStream) {
    const bytes = Buffer.from(await (await value.blob()).arrayBuffer());
    return { url: value.url().href, bytes: bytes.toString("base64") };
  }
  if (Array.isArray(value)) return Promise.all(value.map(plain));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(await Promise.all(Object.entries(value).map(async ([key, each]) => [key, await plain(each)])));
}

// The client has read the answer's body by then; its user finds it in the message.
function told({ name, message, response }) {
  const body = message.match(/^Request to .* failed with status .*?: (\{.*\})\.$/s)?.[1];
  return { type: name, message, status: response?.status ?? null, detail: body ? JSON.parse(body).detail : null };
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const client = new Replicate({ auth: asked.token, baseUrl: asked.base ?? process.env.REPLICATE_BASE_URL });
  let said;
  try {
    said = { gave: await plain(await deeds[asked.do](client, asked.with)) };
  } catch (error) {
    said = { raised: told(error) };
  }
  console.log(JSON.stringify(said));
}
