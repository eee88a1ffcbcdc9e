/**
 * The event-stream parser of the HTML standard, §9.2.6, fed with bytes as they come.
 * An event is given out with the line end that closes it, and never before; what is unfinished at the end is dropped,
 * which is what makes it safe to go on from the last id.
 */
export class SseParser {
  /** Milliseconds the server asks to wait before connecting again. */
  retry;

  // Strips the byte order mark, and holds back a code point whose bytes are not all here.
  #decoder = new TextDecoder();
  #line = '';
  #afterCR = false;
  #id = '';
  #event = '';
  #data = [];

  push(bytes) {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (!text) return [];
    if (this.#afterCR && text[0] === '\n') text = text.slice(1);
    this.#afterCR = text ? text.endsWith('\r') : false;

    const messages = [];
    let start = 0;
    for (const { 0: end, index } of text.matchAll(/\r\n?|\n/g)) {
      const message = this.#take(this.#line + text.slice(start, index));
      if (message) messages.push(message);
      this.#line = '';
      start = index + end.length;
    }
    this.#line += text.slice(start);
    return messages;
  }

  #take(line) {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
  }

  #dispatch() {
    const data = this.#data;
    const message = { event: this.#event || 'message', data: data.join('\n'), id: this.#id };
    this.#event = '';
    this.#data = [];
    return data.length ? message : undefined;
  }
}
