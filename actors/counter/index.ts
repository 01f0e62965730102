// Counts the visits of each path in a key-value store. The actor keeps nothing: whichever instance on whichever host
// answers, the count goes on. When the store fails, the visitor gets to know why.
import { HttpRequest, HttpResponse, onHttp } from '../sdk/http-server';
import { quote } from '../sdk/json';
import { KeyValue } from '../sdk/keyvalue';
import { version } from '../sdk/self';

const store = new KeyValue();

onHttp((request: HttpRequest): HttpResponse => {
  if (request.method !== 'GET') return HttpResponse.error(405, `GET only, not ${request.method}`).with('allow', 'GET');
  const count = store.increment(request.path, 1);
  if (!count.ok) return HttpResponse.unavailable(count.error);
  const answer = HttpResponse.json(`{"counter":${quote(request.path)},"value":${count.value}}\n`);
  return answer.with('x-version', version);
});
