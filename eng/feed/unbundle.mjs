// Takes assemblies out of an uncompressed .NET single-file bundle.
// usage: node unbundle.mjs <bundle> <output folder> <file>...
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [file, output, ...wanted] = process.argv.slice(2);
const bundle = readFileSync(file);

// SHA-256 of ".net core bundle"; the host writes the header's offset into the 8 bytes before it.
const signature = Buffer.from('8b1202b96a612038727b930214d7a03213f5b9e6efae3318ee3b2dce24b36aae', 'hex');
const mark = bundle.indexOf(signature);
if (mark < 8) fail('has no .NET bundle signature');

let at = Number(bundle.readBigInt64LE(mark - 8));
const major = bundle.readUInt32LE(at);
if (major !== 6) fail(`has bundle format ${major}, only 6 is known here`);
const count = bundle.readInt32LE(at + 8);
at += 12;
text(); // bundle id
at += 40; // offsets and sizes of deps.json and runtimeconfig.json, flags

const missing = new Set(wanted);
mkdirSync(output, { recursive: true });
for (let entry = 0; entry < count; entry++) {
  const offset = Number(bundle.readBigInt64LE(at));
  const size = Number(bundle.readBigInt64LE(at + 8));
  const compressed = bundle.readBigInt64LE(at + 16);
  at += 25; // three int64 and the type byte
  const name = text();
  if (!missing.delete(name)) continue;
  if (compressed !== 0n) fail(`holds ${name} compressed`);
  writeFileSync(join(output, name), bundle.subarray(offset, offset + size));
}
if (missing.size > 0) fail(`lacks ${[...missing].join(', ')}`);

// A .NET BinaryWriter string: length in 7-bit groups, low group first, then UTF-8.
function text() {
  let length = 0;
  for (let shift = 0, group = 128; group & 128; shift += 7) {
    group = bundle[at++];
    length |= (group & 127) << shift;
  }
  at += length;
  return bundle.toString('utf8', at - length, at);
}

function fail(why) {
  console.error(`feed: ${file} ${why}`);
  process.exit(1);
}
