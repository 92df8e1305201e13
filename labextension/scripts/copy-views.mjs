// The views are plain ES modules of the Python package, shown inline too: here they are copied to be built in.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const from = join(here, '..', '..', 'carbon_magic', 'views', 'browser');
const to = join(here, '..', 'src', 'generated');
rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
cpSync(from, to, { recursive: true });

// The version that people see is the package's: it stands in package.json, which the build holds to the Python package's.
const { version } = JSON.parse(readFileSync(join(here, '..', 'package.json'), 'utf-8'));
writeFileSync(join(to, 'version.ts'), `export const version = ${JSON.stringify(version)};\n`);
