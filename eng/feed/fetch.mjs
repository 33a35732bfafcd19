// Fetches the pinned npm archives of packages.json with npm's own client, checks their integrity and unpacks what is used.
// usage: node fetch.mjs <work folder>
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const work = process.argv[2];
const { sources } = JSON.parse(readFileSync(new URL('packages.json', import.meta.url)));

for (const { name, version, integrity, folder, extract } of sources) {
  console.log(`feed: fetching ${name}@${version} from npm`);
  const target = join(work, folder);
  mkdirSync(target, { recursive: true });
  execFileSync('npm', ['pack', `${name}@${version}`, '--ignore-scripts', '--silent', '--pack-destination', target], {
    cwd: target,
    stdio: ['ignore', 'ignore', 'inherit'],
  });

  const archive = join(target, readdirSync(target).find((file) => file.endsWith('.tgz')));
  const hash = createHash('sha512');
  await pipeline(createReadStream(archive), hash);
  const found = `sha512-${hash.digest('base64')}`;
  if (found !== integrity) {
    console.error(`feed: ${name}@${version} is not what was pinned:\n  expected ${integrity}\n  found    ${found}`);
    process.exit(1);
  }

  execFileSync('tar', ['-xzf', archive, '-C', target, ...extract], { stdio: 'inherit' });
  rmSync(archive);
}
