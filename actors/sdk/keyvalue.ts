// A key-value store (contract `wasmcloud:keyvalue`). Which store it is, is decided by the link: the actor only knows the
// name of the link. Every call can fail and says so in its result.
import { Reader } from './reader';
import { failure, Result, success } from './result';
import { callHost } from './wapc';
import { Writer } from './writer';

const contract = 'wasmcloud:keyvalue';
const getFields: StaticArray<string> = ['value', 'exists'];

/**
 *     const store = new KeyValue();            // the link named `default`
 *     const count = store.increment('visits', 1);
 *     if (!count.ok) return HttpResponse.unavailable(count.error);
 */
export class KeyValue {
  constructor(private readonly linkName: string = 'default') {}

  /** The value of a key, null when there is none. */
  get(key: string): Result<string | null> {
    const answer = this.call('Get', new Writer().text(key));
    if (!answer.ok) return failure<string | null>(answer.error);
    const reader = answer.value;
    let value = '';
    let exists = false;
    const fields = reader.struct(getFields);
    for (let field = fields.next(); field >= 0; field = fields.next()) {
      if (field === 0) value = reader.text();
      else exists = reader.boolean();
    }
    return checked<string | null>(reader, exists ? value : null);
  }

  /** Stores a value, for `expiresSeconds` or, when that is 0, for ever. True. */
  set(key: string, value: string, expiresSeconds: u32 = 0): Result<bool> {
    const payload = new Writer().map(3).text('key').text(key).text('value').text(value);
    const answer = this.call('Set', payload.text('expires').unsigned(expiresSeconds));
    return answer.ok ? success(true) : failure<bool>(answer.error);
  }

  /** Deletes a key; false when there was none. */
  del(key: string): Result<bool> {
    return asBoolean(this.call('Del', new Writer().text(key)));
  }

  contains(key: string): Result<bool> {
    return asBoolean(this.call('Contains', new Writer().text(key)));
  }

  /** Adds to a number and gives the sum, in one step; a key that is not there counts from 0. The sum may outgrow an i32. */
  increment(key: string, by: i32): Result<i64> {
    const answer = this.call('Increment', new Writer().map(2).text('key').text(key).text('value').integer(by));
    return answer.ok ? checked<i64>(answer.value, answer.value.integer()) : failure<i64>(answer.error);
  }

  /** Puts a value at the end of a list; gives the new length. */
  listAdd(list: string, value: string): Result<u32> {
    return asCount(this.call('ListAdd', member('listName', list, value)));
  }

  /** Takes a value out of a list; false when it was not in it. */
  listDel(list: string, value: string): Result<bool> {
    return asBoolean(this.call('ListDel', member('listName', list, value)));
  }

  /** The values from `start` to `stop`, both included; negative places count from the end. */
  listRange(list: string, start: i32 = 0, stop: i32 = -1): Result<string[]> {
    const payload = new Writer().map(3).text('listName').text(list).text('start').integer(start);
    return asTexts(this.call('ListRange', payload.text('stop').integer(stop)));
  }

  /** Deletes a list; false when there was none. */
  listClear(list: string): Result<bool> {
    return asBoolean(this.call('ListClear', new Writer().text(list)));
  }

  /** Puts a value into a set; gives how many were added, 1 or 0. */
  setAdd(set: string, value: string): Result<u32> {
    return asCount(this.call('SetAdd', member('setName', set, value)));
  }

  /** Takes a value out of a set; gives how many were taken, 1 or 0. */
  setDel(set: string, value: string): Result<u32> {
    return asCount(this.call('SetDel', member('setName', set, value)));
  }

  /** Every value of a set, in no order. */
  setQuery(set: string): Result<string[]> {
    return asTexts(this.call('SetQuery', new Writer().text(set)));
  }

  /** The values that are in any of the sets. */
  setUnion(sets: string[]): Result<string[]> {
    return asTexts(this.call('SetUnion', new Writer().texts(sets)));
  }

  /** The values that are in all of the sets. */
  setIntersection(sets: string[]): Result<string[]> {
    return asTexts(this.call('SetIntersection', new Writer().texts(sets)));
  }

  /** Deletes a set; false when there was none. */
  setClear(set: string): Result<bool> {
    return asBoolean(this.call('SetClear', new Writer().text(set)));
  }

  private call(method: string, payload: Writer): Result<Reader> {
    return callHost(this.linkName, contract, 'KeyValue.' + method, payload);
  }
}

function member(field: string, name: string, value: string): Writer {
  return new Writer().map(2).text(field).text(name).text('value').text(value);
}

/** The value that was read, or a failure when the answer had another shape. */
function checked<T>(reader: Reader, value: T): Result<T> {
  return reader.failed ? failure<T>(`the answer of ${contract} does not fit: ${reader.error}`) : success<T>(value);
}

function asBoolean(answer: Result<Reader>): Result<bool> {
  return answer.ok ? checked<bool>(answer.value, answer.value.boolean()) : failure<bool>(answer.error);
}

function asCount(answer: Result<Reader>): Result<u32> {
  return answer.ok ? checked<u32>(answer.value, answer.value.u32()) : failure<u32>(answer.error);
}

function asTexts(answer: Result<Reader>): Result<string[]> {
  return answer.ok ? checked<string[]>(answer.value, answer.value.texts()) : failure<string[]>(answer.error);
}
