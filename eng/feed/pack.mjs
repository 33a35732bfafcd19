// Writes the packages of packages.json as .nupkg files (zip archives with a nuspec). The same input gives the same bytes.
// usage: node pack.mjs <work folder> <output folder>
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';

const [work, output] = process.argv.slice(2);
const { packages } = JSON.parse(readFileSync(new URL('packages.json', import.meta.url)));
// The CRC-32 table: Node has the function itself only since 20.15, Debian 12 ships 18.
const table = Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n >>> 0;
});

mkdirSync(output, { recursive: true });
for (const description of packages) {
  const files = [[`${description.id}.nuspec`, Buffer.from(nuspec(description))]];
  for (const [target, source] of Object.entries(description.files)) {
    files.push([target, source === null ? Buffer.alloc(0) : readFileSync(join(work, source))]);
  }
  writeFileSync(join(output, `${description.id}.${description.version}.nupkg`), zip(files));
}
console.log(`feed: packed ${packages.length} packages`);

function nuspec({ id, version, framework, dependencies = {}, includeAll = [], frameworkReference }) {
  const lines = Object.entries(dependencies).map(([name, least]) =>
    includeAll.includes(name)
      ? `<dependency id="${name}" version="${least}" include="All" />`
      : `<dependency id="${name}" version="${least}" exclude="Build,Analyzers" />`);
  const references = frameworkReference === undefined ? '' : `
    <frameworkReferences>
      <group targetFramework="${framework}"><frameworkReference name="${frameworkReference}" /></group>
    </frameworkReferences>`;
  return `<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd">
  <metadata>
    <id>${id}</id>
    <version>${version}</version>
    <authors>its official authors, repacked by eng/feed</authors>
    <description>${id} ${version}, repacked for this checkout only.</description>
    <dependencies>
      <group targetFramework="${framework}">${lines.join('')}</group>
    </dependencies>${references}
  </metadata>
</package>
`;
}

function checksum(content) {
  let value = 0xffffffff;
  for (const byte of content) value = table[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function zip(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const [name, content] of files) {
    const path = Buffer.from(name);
    const packed = deflateRawSync(content, { level: 1 });
    const shared = Buffer.alloc(26); // version 2.0, UTF-8 names, deflate, 1980-01-01
    shared.writeUInt16LE(20, 0);
    shared.writeUInt16LE(0x0800, 2);
    shared.writeUInt16LE(8, 4);
    shared.writeUInt16LE(0x21, 8);
    shared.writeUInt32LE(checksum(content), 10);
    shared.writeUInt32LE(packed.length, 14);
    shared.writeUInt32LE(content.length, 18);
    shared.writeUInt16LE(path.length, 22);
    const entry = Buffer.alloc(46);
    entry.write('PK\x01\x02', 0, 'latin1');
    entry.writeUInt16LE(20, 4);
    shared.copy(entry, 6);
    entry.writeUInt32LE(offset, 42);
    directory.push(entry, path);
    parts.push(Buffer.from('PK\x03\x04', 'latin1'), shared, path, packed);
    offset += 30 + path.length + packed.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}
