// Lines in the log of the host (contract `wasmcloud:builtin:logging`), with the actor's name in front. A line that cannot
// be written is dropped: logging never fails a call.
import { callHost } from './wapc';
import { Writer } from './writer';

/** `Log.info('started')`. Needs the capability `wasmcloud:builtin:logging`, no link. */
export class Log {
  static debug(text: string): void {
    write('debug', text);
  }

  static info(text: string): void {
    write('info', text);
  }

  static warn(text: string): void {
    write('warn', text);
  }

  static error(text: string): void {
    write('error', text);
  }
}

function write(level: string, text: string): void {
  const payload = new Writer().map(2).text('level').text(level).text('text').text(text);
  callHost('default', 'wasmcloud:builtin:logging', 'Logging.WriteLog', payload);
}
