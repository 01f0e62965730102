// The pages about writing actors: the example in them is an actor that compiles and does what the page says, and every file
// and command they name exists.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { readActorFile } from '../../../actors/build.ts';
import { compileActor } from '../../../actors/compile.ts';
import { handleRequest } from '../../../lattice/contracts/http-server.ts';
import { keyvalueOperations } from '../../../lattice/contracts/keyvalue.ts';
import { root } from '../../support/sources.ts';
import { startTemporaryDirectory } from '../../support/temporary.ts';
import { type AnswerHostCall, startGuest } from '../../support/wapc-host.ts';

const pages = ['actors/sdk/README.md', 'docs/actors.md'];
const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The first block of code of a language. */
const blockOf = (page: string, language: string): string =>
  new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(textOf(page))![1]!;

test('the guest book of the page compiles and keeps its guests', async () => {
  await using directory = await startTemporaryDirectory();
  const folder = join(directory.path, 'guestbook');
  await mkdir(folder);
  await writeFile(join(folder, 'index.ts'), blockOf(pages[0]!, 'ts'));
  await writeFile(join(folder, 'actor.json'), blockOf(pages[0]!, 'json'));
  const module = await compileActor(await readActorFile(folder));

  const guests: string[] = [];
  const { ListAdd, ListRange } = keyvalueOperations;
  const store: AnswerHostCall = ({ operation, payload }) => {
    if (operation === ListRange.name) return ListRange.response.encode(guests);
    if (operation === ListAdd.name) return ListAdd.response.encode(guests.push(ListAdd.request.decode(payload).value));
    return new Uint8Array(0);
  };
  const request = (method: string, text: string): string => {
    const message = { method, path: '/', queryString: '', header: [], body: new TextEncoder().encode(text) };
    const answer = startGuest(module, store).call(handleRequest.name, handleRequest.request.encode(message));
    const { statusCode, body } = handleRequest.response.decode(answer);
    return `${statusCode} ${new TextDecoder().decode(body)}`;
  };
  expect(request('POST', 'Zoë')).toBe('201 {"guests":1}\n');
  expect(request('POST', 'the "other"')).toBe('201 {"guests":2}\n');
  expect(request('POST', '')).toBe('400 {"error":"send your name as the body"}\n');
  expect(request('GET', '')).toBe('200 ["Zoë","the \\"other\\""]\n');
}, 60_000);

test.each(pages)('%s links only to what exists', (page) => {
  const targets = [...textOf(page).matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1]!);
  expect(targets.filter((target) => !existsSync(resolve(root, dirname(page), target)))).toEqual([]);
});

test('the page of the SDK lists every file of it', () => {
  const rows = [...textOf('actors/sdk/README.md').matchAll(/^\| (`[a-z`, -]+) \|/gm)];
  const listed = rows.flatMap((match) => match[1]!.match(/[a-z-]+/g)!);
  const files = readdirSync(join(root, 'actors', 'sdk')).filter((file) => file.endsWith('.ts'));
  const inner = ['guest.ts', 'cursor.ts', 'headers.ts'];
  expect(listed.map((file) => `${file}.ts`).sort()).toEqual(files.filter((file) => !inner.includes(file)).sort());
});
