export { HearthClient } from './client.js';
export { HearthError } from './errors.js';
export { Socket } from './socket.js';
export { SseParser } from './sse.js';
