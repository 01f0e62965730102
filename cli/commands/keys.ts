// `wattle keys`: the keys of this machine and the accounts it trusts. Seeds stay in their files; only --show-seed prints
// one.
import type { Command as Program } from 'commander';
import { WattleError } from '../../lattice/errors.ts';
import type { Keyring } from '../../lattice/keyring.ts';
import type { KeyType } from '../../lattice/nkeys.ts';
import type { Cli, Command, Options } from '../command.ts';
import { formatFacts, formatTable } from '../output.ts';

const loadKeys = () => import('../../lattice/nkeys.ts');

async function openRing(cli: Cli, options: Options): Promise<Keyring> {
  const { openKeyring } = await import('../../lattice/keyring.ts');
  return openKeyring(cli.readSettings(['dataDir'], options).dataDir);
}

/** Words people know a type by, beside its own name. */
const synonyms: Readonly<Record<string, KeyType>> = {
  actor: 'module',
  component: 'module',
  provider: 'service',
  server: 'host',
  x25519: 'curve',
};

async function readType(word: string): Promise<KeyType> {
  const { keyTypes } = await loadKeys();
  const type = keyTypes.find((each) => each === word.toLowerCase()) ?? synonyms[word.toLowerCase()];
  if (type) return type;
  throw new WattleError('E_USAGE', `there is no key type "${word}"`, { hint: `Types: ${keyTypes.join(', ')}.` });
}

interface GenerateOptions extends Options {
  readonly name?: string;
  readonly showSeed?: boolean;
}

async function generateKey(cli: Cli, word: string, options: GenerateOptions): Promise<void> {
  const type = await readType(word);
  const ring = await openRing(cli, options);
  const entry = await ring.generate(type, options.name);
  const seed = options.showSeed ? (await ring.find(entry.publicKey)).seed : undefined;
  cli.print({ ...entry, ...(seed ? { seed } : {}) }, () => (seed ? `${entry.publicKey}\n${seed}` : entry.publicKey));
  cli.note(`The seed is kept in ${entry.path}, readable by you only.`);
}

interface ListedKey {
  readonly name?: string;
  readonly type: KeyType;
  readonly publicKey: string;
  /** Modules signed by it may run here. */
  readonly trusted: boolean;
  readonly path?: string;
}

async function readKeys(ring: Keyring): Promise<ListedKey[]> {
  const trusted = await ring.trusted(); // makes the account of the machine when there is none yet
  const own = await ring.list();
  const foreign = trusted.filter((account) => own.every(({ publicKey }) => publicKey !== account));
  return [
    ...own.map((entry) => ({ ...entry, trusted: trusted.includes(entry.publicKey) })),
    ...foreign.map((publicKey) => ({ type: 'account' as const, publicKey, trusted: true })),
  ];
}

async function listKeys(cli: Cli, options: Options): Promise<void> {
  cli.print(await readKeys(await openRing(cli, options)), (keys) =>
    formatTable(
      ['NAME', 'TYPE', 'PUBLIC KEY', 'TRUSTED'],
      keys.map(({ name, type, publicKey, trusted }) => [name, type, publicKey, trusted ? 'yes' : undefined]),
    ),
  );
}

async function inspectKey(cli: Cli, text: string, options: Options): Promise<void> {
  const { parseKey, parseSeed } = await loadKeys();
  if (/^S[A-Z2-7]{57}$/.test(text)) {
    const { type, publicKey } = parseSeed(text);
    cli.note('A seed on the command line stays in the history of the shell: consider it known to others.');
    return printKey(cli, { type, publicKey, trusted: false });
  }
  const keys = await readKeys(await openRing(cli, options));
  const known = keys.find(({ name, publicKey }) => name === text || publicKey === text);
  if (known) return printKey(cli, known);
  if (!/^[A-Z2-7]{40,}$/i.test(text)) throw new WattleError('E_KEY_NOT_FOUND', `no key here is named ${text}`);
  printKey(cli, { type: parseKey(text).type, publicKey: text, trusted: false });
}

function printKey(cli: Cli, key: ListedKey): void {
  cli.print(key, ({ name, type, publicKey, trusted, path }) =>
    formatFacts([
      ['public key', publicKey],
      ['type', type],
      ['name', name],
      ['trusted', trusted ? 'yes' : 'no'],
      ['seed file', path],
    ]),
  );
}

async function changeTrust(cli: Cli, change: 'trust' | 'untrust', accounts: string[], options: Options): Promise<void> {
  const ring = await openRing(cli, options);
  for (const account of accounts) await ring[change](account);
  cli.print({ [change]: accounts }, () =>
    accounts.map((account) => `${change === 'trust' ? 'Trusting' : 'No longer trusting'} ${account}`).join('\n'),
  );
}

export const keys: Command = {
  name: 'keys',
  register(program, cli) {
    const noun = program.command('keys').description('make, list and read keys; say which accounts are trusted');
    const add = (usage: string, about: string): Program =>
      cli.addSettings(noun.command(usage).description(about), ['dataDir']);

    const gen = add('gen <type>', 'make a key: account, module, service, host, cluster, operator, user or curve')
      .option('--name <name>', 'name to keep it under (default: its public key)')
      .option('--show-seed', 'print the seed too; whoever reads it can sign as this key')
      .action(cli.action((type: string, options: GenerateOptions) => generateKey(cli, type, options)));
    cli.addExamples(gen, ['keys gen account --name ci', 'keys gen module']);

    const list = add('list', 'list the keys of this machine and the accounts it trusts').action(
      cli.action((options: Options) => listKeys(cli, options)),
    );
    cli.addExamples(list, ['keys list', 'keys list --output json']);

    const inspect = add('inspect <key>', 'say what a key is, by its text or its name').action(
      cli.action((text: string, options: Options) => inspectKey(cli, text, options)),
    );
    cli.addExamples(inspect, ['keys inspect account']);

    const trust = add(
      'trust <account...>',
      'let modules signed by these accounts (A…) run on hosts of this machine',
    ).action(cli.action((accounts: string[], options: Options) => changeTrust(cli, 'trust', accounts, options)));
    cli.addExamples(trust, ['keys trust ACOJJN6WUP4ODD75XEBKKTCCUJJCY5ZKQ56XVKYK4BEJWGVAOOQHZMCW']);

    const untrust = add(
      'untrust <account...>',
      'take the trust back; modules that run go on until they are replaced',
    ).action(cli.action((accounts: string[], options: Options) => changeTrust(cli, 'untrust', accounts, options)));
    cli.addExamples(untrust, ['keys untrust ACOJJN6WUP4ODD75XEBKKTCCUJJCY5ZKQ56XVKYK4BEJWGVAOOQHZMCW']);
  },
};
