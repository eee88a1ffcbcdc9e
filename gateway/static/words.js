const REMEDIES = {
  unreachable: 'Is it running, and is this machine connected? Then try again.',
  silence: 'Is this machine connected? Then try again.',
  unauthorized: 'Try again, and enter a key that is valid here.',
  unknown_generation: 'It may have been forgotten since, or belong to another server. Ask again, or begin a new chat.',
  expired: 'Answers are kept for a while only. Ask again, or begin a new chat.',
  trimmed: 'Reload the page to read what is still kept.',
  epoch_mismatch: 'Reload the page to read it from its beginning.',
  past_the_end: 'Reload the page to read it from its beginning.',
  unknown_model: 'Pick another model above, then try again.',
  context_length_exceeded: 'Begin a new chat, or ask for less.',
  overloaded: 'Others are being answered. Wait a moment, then try again.',
  rate_limited: 'Wait a moment, then try again.',
  draining: 'It should be back soon: try again.',
  model_cold: 'It boots now: try again in a while, or pick another model.',
  boot_failed: 'Try again, or pick another model. The server’s log says what went wrong.',
  engine_died: 'The model is being started again: try again in a moment.',
  engine_stalled: 'Try again. If it comes back, the server’s log says more.',
  engine_failed: 'Try again. If it comes back, the server’s log says more.',
  internal_error: 'Try again. If it comes back, the server’s log says more.',
  log_full: 'Ask for it in parts.',
  not_a_stream: 'Something between this page and the server answers in its place: a proxy, or a login page.',
};

/** An error as a person reads it: what happened, and what can be done about it. */
export function trouble(error) {
  const remedy = REMEDIES[error.code] ?? (error.retry ? 'Try again in a moment.' : 'Change the request, then try again.');
  const what = error.code === 'unauthorized' ? 'This server answers only with a key.' : error.message;
  return { what: what || 'Something went wrong.', remedy };
}

/** What is being waited for. The server's own words, and ours where it has none. */
export function waiting({ stage, message }, model) {
  if (stage === 'booting') return `${model} is booting${message ? `: ${message}` : ''}`;
  if (stage === 'queued') return message || 'Waiting for a free place';
  return message || 'Reading the prompt';
}

/** Another model answers than the one that was asked. */
export function meanwhile(model, asked) {
  return `${model} answers, while ${asked} boots.`;
}

const CUTS = {
  draining: 'The server is going down.',
  slow_reader: 'The connection was too slow.',
};

export function reconnecting({ error, delay }) {
  return `${CUTS[error.code] ?? error.message} Connecting again in ${Math.max(1, Math.round(delay / 1000))} s`;
}

export const ENDS = {
  canceled: { caller: 'Stopped.', abandoned: 'Stopped, because nobody was reading.', shutdown: 'Stopped, because the server went down.' },
  length: 'The answer reached its length limit.',
};
