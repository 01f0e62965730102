// The scaler of links: the lattice holds the link as the manifest wants it, and no provider refuses it. It may be put
// before its ends run: hosts apply it when they do.
import { findLinkContract } from '../../lattice/contracts/index.ts';
import { parseError } from '../../lattice/errors.ts';
import { type LatticeState, linkErrorKey, linkKeyText } from '../../lattice/state.ts';
import type { Link } from '../../lattice/types.ts';
import { deployed, type LinkUnit, type Scaler } from './scaler.ts';

const sameSet = (left: readonly string[], right: readonly string[]): boolean =>
  left.length === right.length && left.every((one) => right.includes(one));
const sameList = (left: readonly string[], right: readonly string[]): boolean =>
  left.length === right.length && left.every((one, index) => one === right[index]);

const sameLink = (left: Link, right: Link): boolean =>
  left.target === right.target &&
  sameSet(left.interfaces, right.interfaces) &&
  sameList(left.source_config, right.source_config) &&
  sameList(left.target_config, right.target_config);

/** What a provider says against a link, and which. */
function refusal(link: Link, state: LatticeState): { text: string; by: string } | undefined {
  const keys = [linkErrorKey(link), linkErrorKey(link, findLinkContract(link)?.name)];
  for (const [host, { inventory }] of state.hosts)
    for (const provider of inventory.providers) {
      const text = keys.map((key) => provider.link_errors?.[key]).find((error) => error !== undefined);
      if (text !== undefined) return { text, by: `${provider.id} on ${host}` };
    }
  return undefined;
}

export const linkScaler: Scaler<LinkUnit> = {
  wireKind: 'LinkScaler',
  plan(unit, state) {
    const there = state.links.get(linkKeyText(unit.link));
    if (there && there.target !== unit.link.target) {
      if (!unit.owned) {
        const message = `a link ${linkKeyText(unit.link)} to ${there.target} exists that this application did not put`;
        return { commands: [], status: { type: 'failed', message, code: 'E_CONFLICT' } };
      }
      const message = `moving link ${linkKeyText(unit.link)} from ${there.target} to ${unit.link.target}`;
      return { commands: [{ type: 'delete-link', key: unit.link }], status: { type: 'reconciling', message } };
    }
    if (!there || !sameLink(there, unit.link)) {
      const message = `putting link ${linkKeyText(unit.link)} to ${unit.link.target}`;
      return { commands: [{ type: 'put-link', link: unit.link }], status: { type: 'reconciling', message } };
    }
    const refused = refusal(unit.link, state);
    if (!refused) return { commands: [], status: deployed };
    const { code, message } = parseError(refused.text, 'E_LINK_CONFIG');
    return { commands: [], status: { type: 'failed', message: `${refused.by} refuses the link: ${message}`, code } };
  },
};
