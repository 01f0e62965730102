// Every manifest under ../shared/manifests parses, and every verdict upstream gives on them is ours too.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { formatFinding, isOamKey, parseManifest } from '../../wadm/manifest.ts';

const shared = (path: string): string => fileURLToPath(new URL(`../../../shared/${path}`, import.meta.url));
const read = (path: string): string => readFileSync(shared(path), 'utf8');

interface Case {
  readonly file: string;
  readonly expect: string;
  readonly message_contains?: string | string[];
}
const verdicts = JSON.parse(read('vectors/manifest-verdicts.json')) as { cases: Case[] };
const judged = new Map(verdicts.cases.map((one) => [one.file, one]));
const refused = /^(reject|invalid|parse error)/;

function parse(path: string) {
  const parsed = parseManifest(read(path), path);
  const errors = parsed.findings.filter((finding) => finding.level === 'error');
  return { ...parsed, errors, warnings: parsed.findings.filter((finding) => finding.level === 'warning') };
}

const files = readdirSync(shared('manifests'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(yaml|json)$/.test(file) && !file.endsWith('events.json'))
  .sort();

describe('manifests users wrote', () => {
  it('are there to be read', () => expect(files.length).toBeGreaterThan(40));

  for (const file of files.filter((one) => !refused.test(judged.get(one.replace('verdicts/', ''))?.expect ?? '')))
    it(`${file} parses without an error`, () => {
      const { application, errors } = parse(`manifests/${file}`);
      expect(errors.map(formatFinding)).toEqual([]);
      expect(application?.components.length).toBeGreaterThan(0);
    });
});

describe('verdicts of upstream', () => {
  for (const one of verdicts.cases)
    it(`${one.file}: ${one.expect}`, () => {
      const { application, errors, warnings } = parse(`manifests/verdicts/${one.file}`);
      for (const finding of [...errors, ...warnings]) expect(formatFinding(finding)).toMatch(/\.yaml:\d+:\d+: /);
      if (refused.test(one.expect)) {
        expect(application).toBeUndefined();
        expect(errors.length).toBeGreaterThan(0);
        for (const text of [one.message_contains ?? []].flat())
          expect(errors.map((finding) => finding.message).join('\n')).toContain(text);
      } else expect(application).toBeDefined();
      const exact = /exactly (\d) (errors|warnings)/.exec(one.expect);
      if (exact) expect(exact[2] === 'errors' ? errors : warnings).toHaveLength(Number(exact[1]));
      if (one.expect.includes('no findings')) expect([...errors, ...warnings]).toEqual([]);
      if (one.expect.includes('warnings only')) expect(warnings.length).toBeGreaterThan(0);
    });
});

describe('keys of labels and annotations', () => {
  const { oam_labels: rules } = JSON.parse(read('vectors/scalers.json'));
  for (const [key] of rules.valid as [string, string][]) it(`${key} is one`, () => expect(isOamKey(key)).toBe(true));
  for (const key of rules.invalid_keys as string[])
    it(`${key.slice(0, 40)} is none`, () => expect(isOamKey(key)).toBe(false));
});
