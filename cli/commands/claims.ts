// `wattle claims`: signs modules, shows what their claims say, and checks them exactly as a host would.
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command as Program } from 'commander';
import type { Claims } from '../../lattice/claims.ts';
import { toWattleError, WattleError } from '../../lattice/errors.ts';
import type { Keyring } from '../../lattice/keyring.ts';
import type { KeyPair } from '../../lattice/nkeys.ts';
import type { SettingName } from '../../lattice/settings.ts';
import type { Cli, Command, Options } from '../command.ts';
import { collect, readCount } from '../options.ts';
import { formatFacts } from '../output.ts';

const loadVerifier = () => import('../../lattice/claims.ts');
const loadSigner = () => import('../../lattice/signing.ts');
const loadKeyring = () => import('../../lattice/keyring.ts');

async function readModuleFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new WattleError('E_ARTIFACT_NOT_FOUND', `cannot read ${path}: ${(cause as Error).message}`, {
      hint: 'Give the path of a .wasm file.',
      cause,
    });
  }
}

/** Replaces the file as a whole; a link in its place is replaced, not followed. */
async function writeModuleFile(path: string, bytes: Uint8Array): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(draft, bytes, { flag: 'wx' });
    await rename(draft, path);
  } catch (cause) {
    await rm(draft, { force: true });
    throw new WattleError('E_USAGE', `cannot write ${path}: ${(cause as Error).message}`, {
      hint: 'Name a file that can be written with --destination.',
      cause,
    });
  }
}

interface SignOptions extends Options {
  readonly destination?: string;
  readonly name?: string;
  readonly capability?: readonly string[];
  readonly callAlias?: string;
  readonly tag?: readonly string[];
  readonly revision?: string;
  readonly ver?: string;
  readonly expires?: string;
  readonly notBefore?: string;
  readonly issuer?: string;
  readonly subject?: string;
}

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30d`, `12h` from now, or a date. Throws E_USAGE. */
function readTime(text: string | undefined, option: string): Date | undefined {
  if (text === undefined) return undefined;
  const span = /^(\d+)([smhd])$/.exec(text);
  const time = span ? new Date(Date.now() + Number(span[1]) * unitMs[span[2]!]!) : new Date(text);
  if (Number.isNaN(time.getTime()))
    throw new WattleError('E_USAGE', `${option} is a time from now (30d, 12h, 45m) or a date, not "${text}"`);
  return time;
}

/** A key by name or public key of the ring, or the path of a seed file. */
async function readSigner(ring: Keyring, text: string): Promise<KeyPair> {
  if (!/[/\\]|\.nk$/.test(text)) return ring.find(text);
  const { readSeedFile } = await loadKeyring();
  return readSeedFile(text).catch((thrown: unknown) => {
    throw toWattleError(thrown, 'E_KEY_NOT_FOUND');
  });
}

const isModuleKey = (text: string): boolean => /^M[A-Z2-7]{55}$/.test(text);

async function readSubject(ring: Keyring, name: string, option: string | undefined): Promise<KeyPair | string> {
  if (option === undefined) return ring.module(name);
  return isModuleKey(option) ? option : readSigner(ring, option);
}

const readAll = (words: readonly string[] | undefined): string[] =>
  (words ?? [])
    .flatMap((word) => word.split(','))
    .map((word) => word.trim())
    .filter((word) => word !== '');

async function signFile(cli: Cli, file: string, options: SignOptions): Promise<void> {
  const bytes = await readModuleFile(file);
  const name = options.name ?? basename(file).replace(/(_s)?\.wasm$/, '');
  const { openKeyring } = await loadKeyring();
  const ring = openKeyring(cli.readSettings(['dataDir'], options).dataDir);
  const issuer = options.issuer === undefined ? await ring.account() : await readSigner(ring, options.issuer);
  const { signModule } = await loadSigner();
  const signed = await signModule(bytes, {
    issuer,
    subject: await readSubject(ring, name, options.subject),
    claims: {
      name,
      capabilities: readAll(options.capability),
      callAlias: options.callAlias,
      tags: readAll(options.tag),
      revision: options.revision === undefined ? undefined : readCount(options.revision, '--revision'),
      version: options.ver,
      expiresAt: readTime(options.expires, '--expires'),
      notBefore: readTime(options.notBefore, '--not-before'),
    },
  });
  const { verifyModule } = await loadVerifier();
  const { claims } = await verifyModule(signed, { trustedIssuers: new Set([issuer.publicKey]) });
  const destination = options.destination ?? `${file.replace(/(_s)?\.wasm$/, '')}_s.wasm`;
  await writeModuleFile(destination, signed);
  cli.print(
    { file: destination, ...claims },
    () => `Signed ${destination} as ${claims!.subject}, issuer ${claims!.issuer}`,
  );
}

const describeClaims = (claims: Claims): [string, string | undefined][] => [
  ['name', claims.name],
  ['version', claims.version],
  ['revision', String(claims.revision)],
  ['module', claims.subject],
  ['issuer', claims.issuer],
  ['capabilities', claims.capabilities.join(', ')],
  ['call alias', claims.callAlias],
  ['tags', claims.tags.join(', ')],
  ['issued', claims.issuedAt.toISOString()],
  ['valid from', claims.notBefore?.toISOString() ?? 'immediately'],
  ['expires', claims.expiresAt?.toISOString() ?? 'never'],
];

const yes = (value: boolean | undefined): string | undefined =>
  value === undefined ? undefined : value ? 'yes' : 'NO';

async function inspectFile(cli: Cli, file: string): Promise<void> {
  const { inspectModule } = await loadSigner();
  const { digest, token, claims, wascapRevision, signatureValid, hashMatches, fault } = await inspectModule(
    await readModuleFile(file),
  );
  const read = { file, digest, claims, wascapRevision, signatureValid, hashMatches };
  const problem = fault && { code: fault.code, message: fault.message };
  cli.print({ ...read, header: token?.header, payload: token?.payload, token: token?.text, problem }, () =>
    formatFacts([
      ['file', file],
      ['digest', digest],
      ...(claims ? describeClaims(claims) : []),
      ['token revision', wascapRevision === undefined ? undefined : String(wascapRevision)],
      ['signature valid', yes(signatureValid)],
      ['hash matches', yes(hashMatches)],
      ...(problem ? [['problem', `${problem.code}: ${problem.message}`] as const] : []),
    ]),
  );
}

interface VerifyOptions extends Options {
  readonly requireExpiry?: boolean;
  readonly subject?: string;
  readonly minRevision?: string;
}

const verifySettings = ['dataDir', 'trust', 'allowUnsigned', 'allowLegacyClaims'] as const satisfies SettingName[];

async function verifyFile(cli: Cli, file: string, options: VerifyOptions): Promise<void> {
  const settings = cli.readSettings(verifySettings, options);
  const { openKeyring } = await loadKeyring();
  const trusted = await openKeyring(settings.dataDir).trusted(settings.trust);
  const minimum = options.minRevision === undefined ? undefined : readCount(options.minRevision, '--min-revision');
  const { verifyModule } = await loadVerifier();
  const verified = await verifyModule(await readModuleFile(file), {
    trustedIssuers: new Set(trusted),
    allowUnsigned: settings.allowUnsigned,
    allowLegacyClaims: settings.allowLegacyClaims,
    requireExpiry: options.requireExpiry === true,
    ...(options.subject === undefined ? {} : { subject: options.subject }),
    minimumRevision: () => minimum,
  });
  cli.print({ file, ...verified }, ({ claims, digest }) =>
    claims
      ? `${file} may run here\n${formatFacts([['digest', digest], ...describeClaims(claims)])}`
      : `${file} may run here without claims`,
  );
}

export const claims: Command = {
  name: 'claims',
  register(program, cli) {
    const noun = program.command('claims').description('sign modules, read and verify their claims');
    const add = (usage: string, about: string): Program => noun.command(usage).description(about);

    const sign = cli.addSettings(add('sign <file>', 'sign a module or component'), ['dataDir']);
    sign
      .option('-d, --destination <file>', 'where to write it (default: FILE with _s before .wasm)')
      .option('--name <name>', 'name of the module (default: that of the file)')
      .option('-c, --capability <contract>', 'contract it may use, as wasmcloud:keyvalue; may be given again', collect)
      .option('--call-alias <alias>', 'name other actors may call it by')
      .option('--tag <tag>', 'tag; may be given again', collect)
      .option('--revision <n>', 'number that grows with every release')
      .option('--ver <version>', 'version for people')
      .option('--expires <time>', 'when the claims end: 30d, 12h, or a date (default: never)')
      .option('--not-before <time>', 'when the claims begin: 1h, or a date (default: immediately)')
      .option(
        '--issuer <key>',
        'account that signs: name of a key, or seed file (default: the account of this machine)',
      )
      .option('--subject <key>', 'key of the module: name, seed file or M… (default: one kept for its name)')
      .action(cli.action((file: string, options: SignOptions) => signFile(cli, file, options)));
    cli.addExamples(sign, [
      'claims sign build/hello.wasm',
      'claims sign build/counter.wasm -c wasmcloud:httpserver -c wasmcloud:keyvalue --revision 2 --ver 0.2.0',
    ]);

    const inspect = add('inspect <file>', 'show what the claims of a module say, without trusting them').action(
      cli.action((file: string) => inspectFile(cli, file)),
    );
    cli.addExamples(inspect, ['claims inspect build/hello_s.wasm']);

    const verify = cli.addSettings(
      add('verify <file>', 'check a module exactly as a host of this machine would'),
      verifySettings,
    );
    verify
      .option('--require-expiry', 'refuse claims that never expire')
      .option('--subject <key>', 'refuse any other module than this (M…)')
      .option('--min-revision <n>', 'refuse older revisions')
      .action(cli.action((file: string, options: VerifyOptions) => verifyFile(cli, file, options)));
    cli.addExamples(verify, ['claims verify build/hello_s.wasm']);
  },
};
