/** The last event seen, written `epoch-offset`. */
export type Position = string;

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  cached_tokens?: number;
}

export interface Told {
  code: string;
  message: string;
  retry?: boolean;
}

interface Numbered {
  /** Offset of the first event in this frame. */
  o: number;
  /** How many events it folds. */
  n: number;
  position: Position;
  /** It was in the log before this reader came. */
  replay?: boolean;
}

export interface Opened extends Numbered {
  type: 'opened';
  generation: string;
  model: string;
  created: number;
}

/** The engine has taken the prompt and counted it. */
export interface Accepted extends Numbered {
  type: 'accepted';
  prompt_tokens: number;
  cached_tokens: number;
}

export interface Progress extends Numbered {
  type: 'progress';
  stage: 'queued' | 'booting' | 'prefill';
  message: string;
  /** In how many seconds the model is likely warm, as of when this was said; absent where nothing is known. */
  ready_s?: number;
}

export interface Delta extends Numbered {
  type: 'delta';
  /** The choice it belongs to. */
  c: number;
  /** Text. */
  d?: string;
  /** Reasoning. */
  r?: string;
  tool_calls?: unknown[];
  finish?: 'stop' | 'length' | 'tool_calls' | 'content_filter';
  /** The string or token that ended it, if one did. */
  stop?: string | number;
  logprobs?: unknown;
}

export interface Note extends Numbered {
  type: 'note';
  kind: string;
  message: string;
}

/** What a model gives beside or instead of text. */
export interface Output extends Numbered {
  type: 'output';
  value: unknown;
}

/** A line that the model's program printed. */
export interface LogLine extends Numbered {
  type: 'log';
  text: string;
}

export interface End extends Numbered {
  type: 'end';
  state: 'finished' | 'failed' | 'canceled';
  reason?: string | null;
  usage?: Usage;
  timings?: Record<string, number | null>;
  error?: Told;
}

export type Event = Opened | Accepted | Progress | Delta | Output | LogLine | Note | End;

export interface Retry {
  error: HearthError;
  /** Milliseconds until the next attempt. */
  delay: number;
  /** How many attempts have failed in a row. */
  attempt: number;
}

export interface ReadOptions {
  /** Go on after this position; from the beginning without it. */
  after?: Position | null;
  /** Stops reading, not the generation; the iteration throws the signal's reason. */
  signal?: AbortSignal;
  /** Called with each event's position as the event is handed out. */
  onPosition?(position: Position): void;
  /** Called when a connection stands, the first and each further one. */
  onConnect?(): void;
  /** Called when the connection was cut and will be tried again. */
  onRetry?(retry: Retry): void;
}

export interface Patience {
  /** The first wait before connecting again, in milliseconds, until the server names one; 1000 to 3000 at random. */
  retry?: number;
  /** Attempts in a row before giving up; without end by default. */
  retries?: number;
  /** Milliseconds without a byte after which a connection counts as dead; 45000. */
  silence?: number;
}

export interface WatchOptions extends ReadOptions, Patience {
  /** 'sse' unless told; with 'ws' all watches of one client share one WebSocket, whose own patience holds. */
  transport?: 'sse' | 'ws';
}

export interface Message {
  role: string;
  content: unknown;
  [field: string]: unknown;
}

/** An OpenAI chat or completion body. */
export type Request = { model: string; [field: string]: unknown } & ({ messages: Message[] } | { prompt: unknown });

export interface Started {
  id: string;
  object: 'stream';
  model: string;
  state: string;
  created: number;
  url: string;
}

export interface Snapshot {
  id: string;
  object: 'stream';
  model: string;
  state: string;
  created: number;
  epoch: string;
  /** Offset of the newest event; -1 when there is none. */
  tail: number;
  prompt: { messages: Message[] } | { prompt: unknown };
  choices: { index: number; text: string; finish_reason: string | null; reasoning?: string; tool_calls?: unknown[] }[];
  usage?: Usage | null;
  error?: Told | null;
}

export interface Model {
  id: string;
  [field: string]: unknown;
}

/** The part of WebSocket that is used; the browser's, Node's own, and the `ws` package's all fit. */
export interface WebSocketLike {
  readonly readyState: number;
  onopen: ((event: any) => any) | null;
  onmessage: ((event: any) => any) | null;
  onclose: ((event: any) => any) | null;
  send(data: string): void;
  close(): void;
}

export type WebSocketClass = new (url: string, protocols?: string[]) => WebSocketLike;

export interface ClientOptions {
  /** Where the gateway is, without /v1; in a browser the page's own origin unless told. */
  baseUrl?: string | URL;
  /** Sent with every request; with a WebSocket as a protocol that it speaks, for it has no other place. */
  key?: string;
  fetch?: (url: string, init?: RequestInit) => Promise<Response>;
  WebSocket?: WebSocketClass;
}

interface Abortable {
  signal?: AbortSignal;
}

interface Repeatable {
  /** 1 to 255 visible ASCII characters: asking again with the same key and request starts no second generation. */
  idempotencyKey?: string;
}

export class HearthClient {
  constructor(options?: ClientOptions);
  /** Starts a generation and returns at once. It runs whether or not it is read. */
  start(request: Request, options?: Abortable & Repeatable): Promise<Started>;
  /** What there is of it now. */
  get(id: string, options?: Abortable): Promise<Snapshot>;
  /** Stops it, for everybody; no error when it has ended already. */
  cancel(id: string, options?: Abortable): Promise<{ id: string; state: string }>;
  models(options?: Abortable): Promise<Model[]>;
  /** What an EventSource of your own puts into its address, `?ticket=`, for it can send no key: for one generation, or for all. */
  ticket(generation?: string, options?: Abortable): Promise<{ ticket: string; expires_in: number }>;
  /** Its events, each exactly once and in order, through any number of cuts, to its `end`. */
  watch(id: string, options?: WatchOptions): AsyncGenerator<Event, void, void>;
  /** Waits for its end and answers the first choice's text; throws when it failed. */
  text(id: string, options?: WatchOptions): Promise<string>;
  /** A WebSocket that carries many generations. */
  socket(options?: SocketPatience): Socket;
}

export interface SocketPatience extends Patience {
  /** Milliseconds that a connection without lanes is kept; 30000. */
  idle?: number;
}

export interface SocketOptions extends SocketPatience {
  /** ws://…/v1/ws */
  url: string;
  /** What it says that it speaks; with a key `hearth.v1` and the key. */
  protocols?: string[];
  WebSocket?: WebSocketClass;
  /** Asked when a handshake fails, because a browser does not tell why: what it throws with `retry` false ends all lanes. */
  check?(signal: AbortSignal): Promise<unknown>;
}

export class Socket {
  constructor(options: SocketOptions);
  /** Starts a generation and reads it. */
  create(request: Request, options?: ReadOptions & Repeatable & { resumable?: boolean }): Lane;
  attach(generation: string, options?: ReadOptions): Lane;
  /** Ends every lane; their generations go on. */
  close(): void;
}

export interface Lane extends AsyncIterable<Event> {
  /** The generation's id; null until the server has told it. */
  readonly generation: string | null;
  readonly opened: Promise<string>;
  /** The last event that came in. */
  readonly position: Position | undefined;
  readonly over: boolean;
  /** Stops the generation, for everybody; its `end` still comes. */
  cancel(): void;
  /** Leaves the generation running and ends the iteration. */
  detach(): void;
}

export class HearthError extends Error {
  constructor(code: string, message: string, facts?: Record<string, unknown>);
  readonly code: string;
  /** Whether trying again can help. */
  readonly retry: boolean;
  /** The HTTP status, where there was one. */
  readonly status?: number;
  /** Milliseconds the server asks to wait first. */
  readonly retryAfter?: number;
  /** What else was told: `epoch`, `earliest`, `tail` and the like. */
  readonly details: Record<string, unknown>;
}

/** A parser of event streams, fed with bytes. */
export class SseParser {
  /** Milliseconds the server asks to wait before connecting again. */
  retry?: number;
  push(bytes: Uint8Array): { event: string; data: string; id: string }[];
}
