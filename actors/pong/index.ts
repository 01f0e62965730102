// Answers the calls of ping (operation `Pong.Ping`: a text, answered with a text).
import { onCall } from '../sdk/actor';
import { Reader } from '../sdk/reader';
import { Result, success } from '../sdk/result';
import { name, version } from '../sdk/self';
import { Writer } from '../sdk/writer';

onCall('Pong.Ping', (payload: Reader): Result<Writer> => {
  const text = payload.text();
  return success(new Writer().text(`${name} ${version} got ${text}`));
});
