// Reads a real gateway with the client and prints what it saw: read.mjs URL sse|ws|lanes
import { HearthClient } from '../../../clients/js/src/index.js';

const [baseUrl, how] = process.argv.slice(2);
const client = new HearthClient({ baseUrl });
const request = (content) => ({ model: 'demo', messages: [{ role: 'user', content }] });

async function collect(events) {
  const all = [];
  for await (const event of events) all.push(event);
  return all;
}

const text = (events) => events.map((event) => event.d ?? '').join('');

async function one(transport) {
  const { id } = await client.start(request('hello'));
  const events = await collect(client.watch(id, { transport }));
  const positions = events.map((event) => event.position);
  return {
    text: text(events),
    positions,
    end: events.at(-1),
    rest: await collect(client.watch(id, { transport, after: positions.at(-1) })),
    unknown: await collect(client.watch('gen_nobody', { transport })).catch((error) => error.code),
  };
}

async function lanes() {
  const socket = client.socket({ idle: 0 });
  const prompts = Array.from({ length: 20 }, (_, index) => `prompt ${index}`);
  const all = await Promise.all(prompts.map((prompt) => collect(socket.create(request(prompt)))));
  const stopped = socket.create(request('stop me'));
  await stopped.opened;
  stopped.cancel();
  return { texts: all.map(text), canceled: (await collect(stopped)).at(-1).state };
}

console.log(JSON.stringify(how === 'lanes' ? await lanes() : await one(how)));
