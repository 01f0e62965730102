import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createKeyPair, parseSeed } from '../../../lattice/nkeys.ts';
import { openMessage, sealMessage } from '../../../lattice/xkeys.ts';

interface Row {
  readonly receiver_seed: string;
  readonly sender_public?: string;
  readonly sender_seed?: string;
  readonly box_hex: string;
  readonly plain: string;
  readonly src: string;
}
const { xkey_open: rows } = JSON.parse(
  readFileSync(new URL('../../../../shared/vectors/nkeys.json', import.meta.url), 'utf8'),
) as { xkey_open: Row[] };
const refused = (code: string) => expect.objectContaining({ code });
const text = new TextEncoder();

describe('sealed messages', () => {
  it.each(rows)('the box of $src opens', (row) => {
    const sender = row.sender_public ?? parseSeed(row.sender_seed!).publicKey;
    const box = Buffer.from(row.box_hex, 'hex');
    const receiver = parseSeed(row.receiver_seed);
    expect(Buffer.from(openMessage(receiver, sender, box)).toString()).toBe(row.plain);
    for (const at of [0, 3, 4, 27, 28, box.length - 1]) {
      const changed = Buffer.from(box);
      changed[at]! ^= 1;
      expect(() => openMessage(receiver, sender, changed), `byte ${at}`).toThrow(refused('E_PAYLOAD'));
    }
    expect(() => openMessage(createKeyPair('curve'), sender, box)).toThrow(refused('E_PAYLOAD'));
    expect(() => openMessage(receiver, sender, box.subarray(0, 20))).toThrow(refused('E_PAYLOAD'));
  });

  it('what is sealed opens with the other key only', () => {
    const [ann, bob] = [createKeyPair('curve'), createKeyPair('curve')];
    const box = sealMessage(ann, bob.publicKey, text.encode('hello'));
    expect(Buffer.from(box.subarray(0, 4)).toString()).toBe('xkv1');
    expect(Buffer.from(openMessage(bob, ann.publicKey, box)).toString()).toBe('hello');
    expect(box).not.toEqual(sealMessage(ann, bob.publicKey, text.encode('hello')));
  });

  it('keys that are not curve keys are refused', () => {
    const account = createKeyPair('account');
    const curve = createKeyPair('curve');
    expect(() => sealMessage(account, curve.publicKey, text.encode('x'))).toThrow(refused('E_KEY'));
    expect(() => sealMessage(curve, account.publicKey, text.encode('x'))).toThrow(refused('E_KEY'));
    expect(() => openMessage(curve, `${curve.publicKey}A`, text.encode('x'))).toThrow(refused('E_KEY'));
  });
});
