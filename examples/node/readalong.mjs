// Prints what queries find, as their nodes answer, or as they send it on (trawl grep --reply-to SUBJECT):
//
//   node readalong.mjs 'trawl.v1.res.ann.>'
//
// The bus is where NATS_URL says. Everything that it knows of the frames stands in PROTOCOL.md, sections 3
// and 4.
import { connect } from "@nats-io/transport-node";
import { decode } from "@msgpack/msgpack";
import { uncompress } from "snappyjs";

const statuses = { 0: "complete", 1: "partial", 2: "stopped", 6: "error" };

// parse decodes one frame. It refuses what is none: node records and checkups come on the same subjects.
function parse(message) {
  // Run and times may be beyond what a number holds; strings may hold any bytes.
  const frame = decode(message, { useBigInt64: true, rawStrings: true });
  if (!Array.isArray(frame) || frame[0] !== 1 || frame.length < 7) throw new Error("no frame");
  const [, run, seq, hello, data, progress, end] = frame;
  if (![hello, data, progress, end].every((body) => body === null || Array.isArray(body))) throw new Error("no frame");
  return { run: String(run), seq: Number(seq), progress, chunks: data ? chunksOf(data) : [], end };
}

// chunksOf unpacks the chunks of a data body: [offset, raw, packing, chunks].
function chunksOf([, , packing, packed]) {
  if (packing > 1) throw new Error(`packing ${packing} is not known`);
  return decode(packing === 1 ? uncompress(packed) : packed, { useBigInt64: true, rawStrings: true });
}

// bytes makes a str, a bin or nil a Buffer.
const bytes = (value) => Buffer.from(value ?? []);

// Reader keeps, for each run of each node, the last frame that was taken.
class Reader {
  taken = new Map();

  // message prints a frame that is new, and says which are missing before it.
  message(subject, header, payload) {
    let frame;
    try {
      frame = parse(payload);
    } catch {
      return;
    }
    const key = `${subject} ${frame.run}`;
    const last = this.taken.get(key) ?? 0;
    if (frame.progress || frame.seq <= last) return; // unnumbered, or seen before
    if (frame.seq > last + 1) process.stdout.write(`# ${subject}: frames ${last + 1} to ${frame.seq - 1} are missing\n`);
    this.taken.set(key, frame.seq);
    const node = header || subject.slice(subject.lastIndexOf(".") + 1);
    for (const [kind, , file, text] of frame.chunks) {
      if (kind === 0) print(`${node}:${bytes(file)}:`, bytes(text));
    }
    if (frame.end) {
      process.stdout.write(`# ${subject}: ${statuses[frame.end[0]]}, ${frame.end[2]} lines\n`);
      setTimeout(() => this.taken.delete(key), 60_000).unref(); // by then it is not repeated any more
    }
  }
}

// print prints whole lines, each behind its prefix, to the byte.
function print(prefix, text) {
  for (let at = 0; at < text.length; ) {
    let end = text.indexOf(10, at) + 1;
    if (end === 0) end = text.length; // one of more than 128 KiB comes in parts
    process.stdout.write(prefix);
    process.stdout.write(text.subarray(at, end));
    if (text[end - 1] !== 10) process.stdout.write("\n");
    at = end;
  }
}

if (process.argv.length !== 3) {
  console.error("usage: node readalong.mjs SUBJECT");
  process.exit(2);
}
const connection = await connect({ servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222", name: "readalong" });
const reader = new Reader();
for await (const m of connection.subscribe(process.argv[2])) reader.message(m.subject, m.headers?.get("Trawl-Node"), m.data);
