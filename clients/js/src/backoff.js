const LONGEST = 30_000;

/** How long to wait before connecting again: what the server asked first, then twice as long each time. */
export class Backoff {
  failures = 0;
  base;

  constructor(base = 1000 + Math.random() * 2000) {
    this.base = base;
  }

  reset() {
    this.failures = 0;
  }

  next(atLeast = 0) {
    // The server jitters the first wait itself; the longer ones need it from us, or a fleet comes back as one.
    const jitter = this.failures === 0 ? 1 : 0.5 + Math.random() / 2;
    const wait = Math.min(LONGEST, this.base * 2 ** this.failures) * jitter;
    this.failures += 1;
    return Math.max(atLeast, wait);
  }
}

export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
