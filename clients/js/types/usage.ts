// Never run: it compiles, or the types are wrong.
import { HearthClient, HearthError, SseParser, type Event, type Lane } from 'hearth-client';

const client = new HearthClient({ baseUrl: 'http://localhost:8000', key: 'k', WebSocket });

async function read(): Promise<string> {
  const { id } = await client.start({ model: 'campfire', messages: [{ role: 'user', content: 'hi' }] });
  const seen: string[] = [];
  for await (const event of client.watch(id, { transport: 'ws', after: null, onPosition: (position) => seen.push(position) })) {
    if (event.type === 'delta') seen.push(event.d ?? event.r ?? '');
    if (event.type === 'end') return event.error?.message ?? event.state;
    // @ts-expect-error: only a delta has text
    event.d;
  }
  return client.text(id, { signal: AbortSignal.timeout(1000), onRetry: ({ error, delay }) => console.log(error.code, delay) });
}

async function lanes(): Promise<Event[]> {
  const socket = client.socket({ idle: 0 });
  const lane: Lane = socket.create({ model: 'campfire', prompt: 'Once' }, { resumable: false, idempotencyKey: 'k' });
  const events: Event[] = [];
  for await (const event of socket.attach(await lane.opened, { after: lane.position })) events.push(event);
  lane.cancel();
  socket.close();
  return events;
}

async function refused(): Promise<number | undefined> {
  try {
    await client.get('gen_x');
  } catch (error) {
    if (error instanceof HearthError && error.retry) return error.retryAfter;
  }
  // @ts-expect-error: a request names a model and a prompt
  await client.start({ prompt: 'x' });
  return new SseParser().push(new Uint8Array())[0]?.data.length;
}

void [read, lanes, refused];
