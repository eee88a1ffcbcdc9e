import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SseParser } from '../src/index.js';

const bytes = (text) => new TextEncoder().encode(text);
const parse = (...chunks) => {
  const parser = new SseParser();
  return chunks.flatMap((chunk) => parser.push(typeof chunk === 'string' ? bytes(chunk) : chunk));
};
const message = (data, event = 'message', id = '') => ({ event, data, id });

const STREAM = '\uFEFFretry: 1712\n: open gen_a\n\nid: k-1\nevent: delta\ndata: {"d":"žluť 🔥"}\n\n: keep-alive\n\ndata: one\ndata:two\ndata\n\n';
const MEANS = [message('{"d":"žluť 🔥"}', 'delta', 'k-1'), message('one\ntwo\n', 'message', 'k-1')];

for (const [name, end] of [['LF', '\n'], ['CR', '\r'], ['CRLF', '\r\n']]) {
  test(`a stream of ${name} lines means the same wherever it is split`, () => {
    const whole = bytes(STREAM.replaceAll('\n', end));
    for (let a = 0; a <= whole.length; a++) {
      for (const b of [a, Math.min(a + 1, whole.length), whole.length]) {
        assert.deepEqual(parse(whole.slice(0, a), whole.slice(a, b), whole.slice(b)), MEANS, `split at ${a} and ${b}`);
      }
    }
    assert.deepEqual(parse(...Array.from(whole, (byte) => Uint8Array.of(byte))), MEANS, 'byte by byte');
  });
}

test('an event ended by CR is given out without waiting for what follows', () => {
  assert.deepEqual(parse('data: a\r\r'), [message('a')]);
});

test('a blank line of LF after CR LF is a blank line', () => {
  assert.deepEqual(parse('data: a\r', '\n', '\n'), [message('a')]);
});

test('an event that is not closed is not given out', () => {
  assert.deepEqual(parse('data: a\n'), []);
});

test('empty data is an event, no data is none', () => {
  assert.deepEqual(parse('data:\n\n', 'event: x\n\n', 'data: b\n\n'), [message(''), message('b')]);
});

test('one space after the colon is dropped, and only one', () => {
  assert.deepEqual(parse('data:  a\n\ndata:b:c\n\n'), [message(' a'), message('b:c')]);
});

test('an id stays until another comes; one with NUL is none; an empty one resets', () => {
  const events = parse('id: 1\ndata: a\n\ndata: b\n\nid: 2\0\ndata: c\n\nid\ndata: d\n\n');
  assert.deepEqual(events.map((event) => event.id), ['1', '1', '1', '']);
});

test('retry is digits only', () => {
  const parser = new SseParser();
  parser.push(bytes('retry: soon\n'));
  assert.equal(parser.retry, undefined);
  parser.push(bytes('retry: 1712\nretry: -1\n'));
  assert.equal(parser.retry, 1712);
});

test('unknown fields, and a field that starts with a space, are ignored', () => {
  assert.deepEqual(parse('foo: a\n data: b\nDATA: c\ndata: d\n\n'), [message('d')]);
});
