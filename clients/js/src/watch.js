import { Backoff, pause } from './backoff.js';
import { HearthError } from './errors.js';
import { Link } from './link.js';
import { Cursor, parse } from './position.js';
import { SseParser } from './sse.js';

/**
 * The events of one generation over SSE, each exactly once and in order, through any number of cuts.
 * `open(position, signal)` answers the response of one connection that goes on after `position`.
 */
export async function* watch(open, { after, signal, onPosition, onConnect, onRetry, retry, retries = Infinity, silence = 45_000 } = {}) {
  const cursor = new Cursor(after);
  const backoff = new Backoff(retry);
  for (;;) {
    const parser = new SseParser();
    const link = new Link(silence, signal);
    let cut;
    try {
      const response = await link.hear(open(cursor.position, link.signal));
      if (response.status === 204) return;
      await refuse(response);
      onConnect?.();
      for await (const message of messages(response.body, parser, link)) {
        if (message.event === 'cut') throw HearthError.told(json(message.data), { retry: true });
        const event = { type: message.event, ...json(message.data), position: message.id };
        // What is not of the log has no place in it.
        if (event.o === undefined) continue;
        if (!cursor.pass(parse(message.id).epoch, event)) continue;
        backoff.reset();
        onPosition?.(cursor.position);
        yield event;
        if (event.type === 'end') return;
      }
      // The server may close a connection whenever it likes; only `end` ends the answer.
      cut = new HearthError('cut', 'The connection was closed.', { retry: true });
    } catch (error) {
      if (!(error instanceof HearthError && error.retry)) throw error;
      cut = error;
    } finally {
      link.close();
    }
    if (backoff.failures >= retries) throw cut;
    if (parser.retry !== undefined) backoff.base = parser.retry;
    const delay = backoff.next(cut.retryAfter);
    onRetry?.({ error: cut, delay, attempt: backoff.failures });
    await pause(delay, signal);
  }
}

async function* messages(body, parser, link) {
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await link.hear(reader.read());
    if (done) return;
    yield* parser.push(value);
  }
}

async function refuse(response) {
  if (!response.ok) throw await HearthError.from(response);
  const type = response.headers.get('content-type') ?? 'nothing';
  if (!type.startsWith('text/event-stream')) {
    throw new HearthError('not_a_stream', `The server answered ${type}, not an event stream.`, { status: response.status });
  }
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HearthError('bad_frame', 'The server sent a frame that is not JSON.', { cause });
  }
}
