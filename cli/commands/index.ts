// The list of commands, in the order and under the headings that help shows them.
import type { Command } from '../command.ts';
import { actor } from './actor.ts';
import { app } from './app.ts';
import { call } from './call.ts';
import { claims } from './claims.ts';
import { completion } from './completion.ts';
import { config } from './config.ts';
import { down } from './down.ts';
import { host } from './host.ts';
import { keys } from './keys.ts';
import { link } from './link.ts';
import { provider } from './provider.ts';
import { up } from './up.ts';
import { wadm } from './wadm.ts';

export const commandGroups: readonly (readonly [heading: string, commands: readonly Command[]])[] = [
  ['Run a platform:', [up, down, host, wadm]],
  ['Applications:', [app]],
  ['By hand:', [actor, provider, link, config, call]],
  ['Keys and claims:', [keys, claims]],
  ['This command line:', [completion]],
];
