// The scaler of config: what the application makes has the values of the manifest; what it only names exists.
import { type ConfigUnit, deployed, type Scaler } from './scaler.ts';

type Values = Readonly<Record<string, string>>;

const sameValues = (left: Values, right: Values): boolean => {
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && left[key] === right[key])
  );
};

export const configScaler: Scaler<ConfigUnit> = {
  wireKind: 'ConfigScaler',
  plan(unit, state) {
    const there = state.configs.get(unit.name);
    if (unit.values === undefined) {
      if (there !== undefined) return { commands: [], status: deployed };
      const message = `config ${unit.name} does not exist, and the manifest gives it no properties`;
      return { commands: [], status: { type: 'failed', message, code: 'E_CONFIG_MISSING' } };
    }
    if (there === null)
      return { commands: [], status: { type: 'reconciling', message: `reading config ${unit.name}` } };
    if (there && sameValues(there, unit.values)) return { commands: [], status: deployed };
    const message = `putting config ${unit.name}`;
    return {
      commands: [{ type: 'put-config', name: unit.name, values: unit.values }],
      status: { type: 'reconciling', message },
    };
  },
};
