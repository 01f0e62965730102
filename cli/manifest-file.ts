// A manifest as a file of this machine: its text with file references made absolute, so that hosts elsewhere in the folder
// tree find them. The text is edited at the positions of the YAML nodes and keeps its lines, so every position that wadm
// reports is one in the user's file.
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Document, isAlias, isMap, isScalar, isSeq, parseDocument, type Scalar } from 'yaml';
import { WattleError } from '../lattice/errors.ts';
import { resolveArtifactRef } from './artifact-ref.ts';
import type { ManifestFile } from './manifest-name.ts';

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** The manifest a path means: the file, or `wadm.yaml` in a folder. */
async function locateManifest(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (!found)
    throw new WattleError('E_NOT_FOUND', `there is no file ${path}`, {
      hint: 'Name a manifest, or - to read one from standard input.',
    });
  return found.isDirectory() ? join(path, 'wadm.yaml') : path;
}

/** Reads a manifest from a file, a folder (`wadm.yaml` in it) or `-`. Throws E_NOT_FOUND. */
export async function readManifestFile(path: string): Promise<ManifestFile> {
  if (path === '-') return { file: '-', text: resolveManifestRefs(await readStandardInput(), process.cwd()) };
  const file = await locateManifest(path);
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new WattleError('E_NOT_FOUND', `cannot read ${file}: ${cause.code}`, { cause, hint: 'Name a manifest.' });
  });
  return { file, text: resolveManifestRefs(text, dirname(resolve(file))) };
}

/** The scalars that name images: `image` in the properties of each component, through aliases. */
function findImages(document: Document): Scalar[] {
  const components = document.getIn(['spec', 'components'], true);
  if (!isSeq(components)) return [];
  const found = new Set<Scalar>();
  for (const component of components.items) {
    const properties = isMap(component) ? follow(document, component.get('properties', true)) : undefined;
    const image = isMap(properties) ? follow(document, properties.get('image', true)) : undefined;
    if (isScalar(image) && typeof image.value === 'string') found.add(image);
  }
  return [...found];
}

function parseQuietly(text: string): Document | undefined {
  try {
    return parseDocument(text, { logLevel: 'silent' });
  } catch {
    return undefined; // nested beyond the stack
  }
}

const follow = (document: Document, node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);

/**
 * A manifest with the file references of its images absolute, seen from `folder`; all other bytes, and the number of lines,
 * stay. Text that is no YAML comes back as it is: who parses it will say why.
 */
export function resolveManifestRefs(text: string, folder: string): string {
  const document = parseQuietly(text);
  if (!document || document.errors.length > 0) return text;
  const images = findImages(document).sort((a, b) => b.range![0] - a.range![0]);
  let edited = text;
  for (const image of images) {
    const ref = String(image.value);
    const absolute = resolveArtifactRef(ref, folder);
    if (absolute === ref) continue;
    const [start, end] = image.range!;
    const lines = edited.slice(start, end).split('\n').length - 1;
    edited = edited.slice(0, start) + JSON.stringify(absolute) + '\n'.repeat(lines) + edited.slice(end);
  }
  return edited;
}
