/** Everything the gateway or this client refuses: a code to branch on, a sentence to show, and whether trying again can help. */
export class HearthError extends Error {
  constructor(code, message, { status, retry = false, retryAfter, cause, ...details } = {}) {
    super(message, { cause });
    this.name = 'HearthError';
    this.code = code;
    this.status = status;
    this.retry = retry;
    this.retryAfter = retryAfter;
    this.details = details;
  }

  /** The error a body tells: an HTTP envelope, an `end` event's error, or an `error` frame. */
  static told(body, fallback = {}) {
    const { code, message, type, param, ...rest } = { ...fallback, ...(body?.error ?? body) };
    return new HearthError(code ?? type ?? 'unknown', message ?? 'The server gave no reason.', rest);
  }

  static async from(response) {
    const { status } = response;
    const wait = Number(response.headers.get('retry-after') ?? NaN);
    // A proxy in between answers in HTML, if at all: then the status is all there is.
    const body = await response.json().catch(() => null);
    return HearthError.told(typeof body === 'object' ? body : null, {
      code: `http_${status}`,
      message: `The server answered ${status}.`,
      status,
      retry: status >= 500 || [408, 425, 429].includes(status),
      retryAfter: Number.isFinite(wait) ? wait * 1000 : undefined,
    });
  }

  static unreachable(cause) {
    return new HearthError('unreachable', 'The server cannot be reached.', { retry: true, cause });
  }
}
