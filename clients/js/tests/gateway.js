import { createServer } from 'node:http';
import { once } from 'node:events';

export const EPOCH = 'k3f9a2xq';

/** A gateway of a few lines, which the test tells how to misbehave: `answer(request, response)` for every request. */
export async function gateway(t, answer) {
  const requests = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    request.body = body && JSON.parse(body);
    request.after = new URL(request.url, 'http://x').searchParams.get('after');
    requests.push(request);
    await answer(request, response, requests.length - 1);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { baseUrl: `http://127.0.0.1:${server.address().port}`, requests };
}

/** An address where nobody listens. */
export async function nowhere() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

/** The log of a short answer; its text is `words` joined. */
export function log(words) {
  const events = [
    { t: 'opened', generation: 'gen_a', model: 'demo', created: 1, prompt_tokens: null },
    { t: 'progress', stage: 'booting', message: 'loading weights' },
    ...words.map((d) => ({ t: 'delta', c: 0, d })),
    { t: 'end', state: 'finished', reason: 'stop', usage: { prompt_tokens: 1, completion_tokens: words.length } },
  ];
  return events.map((event, o) => ({ ...event, o, n: 1 }));
}

export function frame({ t, ...data }) {
  return `id: ${EPOCH}-${data.o + data.n - 1}\nevent: ${t}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** What comes after a position. */
export function rest(events, after) {
  return events.slice(after ? Number(after.split('-')[1]) + 1 : 0);
}

export function stream(response, retry = 1) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(`retry: ${retry}\n\n: open gen_a epoch=${EPOCH}\n\n`);
}

export function refuse(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export async function collect(events) {
  const all = [];
  for await (const event of events) all.push(event);
  return all;
}

export function text(events) {
  return events.map((event) => event.d ?? '').join('');
}
