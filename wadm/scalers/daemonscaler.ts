// The daemonscaler of actors: the full count of every spread on every eligible host. Weights mean nothing here.
import { type Placement, planActor } from './actor.ts';
import { eligibleHosts, explainNoHost, sortedHosts, spreadsOf } from './placement.ts';
import type { RunUnit, Scaler, UnitStatus } from './scaler.ts';

export const daemonscaler: Scaler<RunUnit> = {
  wireKind: 'DaemonScaler',
  plan(unit, state) {
    const hosts = sortedHosts(state);
    const count = unit.scaler.instances;
    let problem: UnitStatus | undefined;
    const wanted = spreadsOf(unit.scaler).flatMap((spread): Placement[] => {
      const eligible = eligibleHosts(hosts, spread);
      if (eligible.length === 0 && count > 0)
        problem ??= explainNoHost(unit, spread, { hosts: hosts.length, eligible: 0, wanted: 1 });
      return count > 0 ? eligible.map(({ id }) => ({ host: id, spread: spread.name, count })) : [];
    });
    return planActor(unit, state, { wanted, problem });
  },
};
