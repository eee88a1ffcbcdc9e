import { Answer, said } from './answer.js';
import { HearthClient, HearthError } from './client/index.js';
import { follow } from './follow.js';
import * as key from './key.js';
import { Models } from './models.js';

const LOOK_AGAIN = 2000;
const RELOAD = { label: 'Reload', act: () => location.reload() };

const at = (id) => document.getElementById(id);
const log = at('log');
const draft = at('draft');
const act = at('act');

let client = connect();
let messages = [];
/** The answer that is being read: its generation once that is known, and what stops reading it. */
let reading = null;

const models = new Models(at('model'), () => client.models());
let looking;
const toBottom = follow(at('scroller'), at('column'), at('latest'));

function connect() {
  return new HearthClient({ baseUrl: new URL('./', location.href), key: key.kept() });
}

let asking = null;

/** Runs an action; where the server wants a key, asks for one and runs it again. */
async function keyed(action) {
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (error.code !== 'unauthorized' && error.status !== 401) throw error;
      // One question is enough for all that are waiting for its answer.
      asking ??= key.ask(at('lock')).finally(() => (asking = null));
      if (!(await asking)) throw error;
      client = connect();
    }
  }
}

/** Looks how warm the models are. Nobody waits for it: where it fails, what is wanted next says why. */
async function look() {
  clearTimeout(looking);
  const changing = await models.refresh().catch(() => false);
  clearTimeout(looking);
  if (changing) looking = setTimeout(look, LOOK_AGAIN);
}

function show(element) {
  at('welcome').hidden = true;
  log.append(element);
}

function enable() {
  act.toggleAttribute('data-busy', reading !== null);
  act.setAttribute('aria-label', reading ? 'Stop' : 'Send');
  act.disabled = !reading && !draft.value.trim();
}

/** Makes room for an answer. Only one is read at a time. */
function begin() {
  reading?.stop.abort();
  const turn = { id: null, position: undefined, asked: messages.length, stop: new AbortController() };
  turn.again = { label: 'Try again', act: () => again(turn) };
  turn.answer = new Answer([turn.again]);
  reading = turn;
  show(turn.answer.element);
  enable();
  return turn;
}

async function read(turn) {
  const { stop, answer } = turn;
  const { signal } = stop;
  try {
    turn.id ??= await launch(turn);
    await keyed(async () => {
      const options = {
        signal,
        after: turn.position,
        onConnect: () => answer.connected(),
        onRetry: (retry) => answer.retrying(retry),
      };
      for await (const event of client.watch(turn.id, options)) {
        turn.position = event.position;
        answer.take(event);
        if (event.type === 'progress') look();
      }
    });
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof HearthError)) throw error;
    // It may still be going on without this reader: reading it again comes before asking again.
    answer.fail(error, turn.id ? [RELOAD, turn.again] : [turn.again]);
  } finally {
    if (reading === turn) reading = null;
    enable();
    look();
  }
  if (answer.text) messages.push({ role: 'assistant', content: answer.text });
}

async function launch({ answer, stop: { signal } }) {
  if (!models.chosen) await keyed(() => models.refresh());
  answer.asked = models.chosen;
  const { id } = await keyed(() => client.start({ model: models.chosen, messages }, { signal }));
  history.pushState(null, '', `?g=${encodeURIComponent(id)}`);
  return id;
}

function ask() {
  const turn = begin();
  turn.answer.wait('Sending');
  read(turn);
}

/** Asks once more what led to an answer, and drops the answer and all that followed it. */
function again(turn) {
  messages.length = turn.asked;
  while (log.lastChild !== turn.answer.element) log.lastChild.remove();
  turn.answer.element.remove();
  ask();
}

function send() {
  const content = draft.value.trim();
  if (!content || reading) return;
  draft.value = '';
  messages.push({ role: 'user', content });
  show(said(messages.at(-1)));
  name();
  toBottom();
  ask();
}

/** Stops the generation itself; its `end` comes through the log, here and for whoever reads along. */
async function stop() {
  const turn = reading;
  if (!turn) return;
  if (!turn.id) {
    turn.stop.abort();
    turn.answer.stop();
    return;
  }
  try {
    await keyed(() => client.cancel(turn.id));
  } catch (error) {
    if (reading !== turn) return;
    turn.stop.abort();
    turn.answer.fail(error, [RELOAD]);
  }
}

function clear() {
  reading?.stop.abort();
  reading = null;
  messages = [];
  log.replaceChildren();
  document.title = 'Hearth';
}

function name() {
  const first = messages.find(({ role, content }) => role === 'user' && typeof content === 'string');
  if (first) document.title = `${first.content.slice(0, 60)} · Hearth`;
}

/** Shows what the address names: an answer and the conversation that led to it, or a new chat. */
async function open() {
  clear();
  const id = new URL(location.href).searchParams.get('g');
  at('welcome').hidden = id !== null;
  enable();
  if (id === null) return draft.focus();
  const turn = begin();
  turn.id = id;
  try {
    const { prompt, model } = await keyed(() => client.get(id, { signal: turn.stop.signal }));
    messages = prompt.messages ?? [{ role: 'user', content: prompt.prompt }];
    turn.asked = messages.length;
    log.prepend(...messages.map(said));
    models.choose(model);
    name();
    toBottom();
  } catch (error) {
    if (turn.stop.signal.aborted) return;
    reading = null;
    enable();
    return turn.answer.fail(error, [{ label: 'New chat', act: fresh }, RELOAD]);
  }
  read(turn);
}

function fresh() {
  history.pushState(null, '', location.pathname);
  open();
}

at('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  if (reading) stop();
  else send();
});
draft.addEventListener('input', () => {
  enable();
  // Not every browser can size a field by its content.
  if (!CSS.supports('field-sizing', 'content')) draft.rows = Math.min(8, draft.value.split('\n').length);
});
draft.addEventListener('keydown', (event) => {
  // While an input method composes, Enter belongs to it.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && !event.isComposing && !at('lock').open) stop();
});
at('fresh').addEventListener('click', fresh);
window.addEventListener('popstate', open);
document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && look());

open();
keyed(() => models.refresh()).then(look, look);
