// The headers of an HTTP message: names to lists of values. Names are compared without regard to case.
import { Reader } from './reader';
import { Writer } from './writer';

export class Headers {
  private readonly keys: string[] = [];
  private readonly lists: string[][] = [];

  /** The names, as they were written. */
  get names(): string[] {
    return this.keys;
  }

  /** The first value, or null. */
  get(name: string): string | null {
    const values = this.all(name);
    return values.length > 0 ? values[0] : null;
  }

  /** Every value, in order. */
  all(name: string): string[] {
    const place = this.place(name);
    return place < 0 ? [] : this.lists[place];
  }

  /** Puts one value in the place of all there were. */
  set(name: string, value: string): Headers {
    const place = this.place(name);
    if (place >= 0) this.lists[place] = [value];
    else this.push(name, [value]);
    return this;
  }

  /** Adds a value to those there are: two cookies are two values of `set-cookie`. */
  add(name: string, value: string): Headers {
    const place = this.place(name);
    if (place >= 0) this.lists[place].push(value);
    else this.push(name, [value]);
    return this;
  }

  write(writer: Writer): void {
    writer.map(this.keys.length);
    for (let index = 0; index < this.keys.length; index++) writer.text(this.keys[index]).texts(this.lists[index]);
  }

  /** Reads a map from names to a value or a list of values. */
  static read(reader: Reader): Headers {
    const headers = new Headers();
    const count = reader.map();
    for (let index = 0; index < count; index++) {
      const name = reader.text();
      headers.push(name, reader.nil() ? [] : reader.texts());
    }
    return headers;
  }

  private push(name: string, values: string[]): void {
    this.keys.push(name);
    this.lists.push(values);
  }

  private place(name: string): i32 {
    for (let index = 0; index < this.keys.length; index++) if (sameName(this.keys[index], name)) return index;
    return -1;
  }
}

/** Equal but for the case of ASCII letters. */
function sameName(one: string, other: string): bool {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++)
    if (lower(one.charCodeAt(index)) !== lower(other.charCodeAt(index))) return false;
  return true;
}

function lower(code: i32): i32 {
  return code >= 65 && code <= 90 ? code + 32 : code;
}
