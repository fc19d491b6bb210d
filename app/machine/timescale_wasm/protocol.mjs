// The PostgreSQL wire protocol, as far as the bridge must understand it. Every message but the first of a connection
// is: one byte of type, four of length (which counts itself), the rest.
// Source: PostgreSQL manual, "Frontend/Backend Protocol", Message Formats.

export const SSL_REQUEST = 80877103;
export const GSS_REQUEST = 80877104;
export const CANCEL_REQUEST = 80877102;
export const PROTOCOL_3 = 196608;

const LARGEST_MESSAGE = 256 * 1024 * 1024;

/** Cuts a byte stream into messages, however the network cut it into pieces. */
export class Framer {
  #rest = Buffer.alloc(0);
  #pieces = [];
  #size = 0;
  started = false;

  push(piece) {
    this.#pieces.push(piece);
    this.#size += piece.length;
  }

  /** Yields whole messages, type and length included; throws on a length that cannot be. */
  *messages() {
    this.#rest = Buffer.concat([this.#rest, ...this.#pieces]);
    this.#pieces = [];
    for (;;) {
      const head = this.started ? 1 : 0;
      if (this.#rest.length < head + 4) return;
      const length = this.#rest.readInt32BE(head) + head;
      if (length < head + 4 || length > LARGEST_MESSAGE) throw new Error(`message of ${length} bytes`);
      if (this.#rest.length < length) return;
      const message = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      yield message;
    }
  }
}

export function message(type, body) {
  const made = Buffer.alloc(5 + body.length);
  made.write(type, 0, "latin1");
  made.writeInt32BE(4 + body.length, 1);
  body.copy(made, 5);
  return made;
}

export function startup(user, database) {
  const body = Buffer.from(`user\0${user}\0database\0${database}\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + body.length, 0);
  head.writeInt32BE(PROTOCOL_3, 4);
  return Buffer.concat([head, body]);
}

export const cstring = (text) => Buffer.from(`${text}\0`);
export const query = (text) => message("Q", cstring(text));
export const sync = () => message("S", Buffer.alloc(0));
export const readyForQuery = (status) => message("Z", Buffer.from(status));
export const askForPassword = () => message("R", Buffer.from([0, 0, 0, 3]));
export const authenticated = () => message("R", Buffer.from([0, 0, 0, 0]));

export function errorResponse(code, text) {
  return message("E", Buffer.concat([cstring("SERROR"), cstring("VERROR"), cstring(`C${code}`), cstring(`M${text}`), Buffer.from([0])]));
}

/** The zero-terminated text at `start`, and where the next field begins. */
export function textAt(bytes, start) {
  const end = bytes.indexOf(0, start);
  return [bytes.toString("utf8", start, end), end + 1];
}

/** Answers of the backend one by one: [type, whole message]. */
export function* answers(bytes) {
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readInt32BE(at + 1) + 1;
    yield [String.fromCharCode(bytes[at]), bytes.subarray(at, at + length)];
    at += length;
  }
}
