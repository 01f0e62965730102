// Answers HTTP requests with what another actor says. It knows that actor by its call alias only: it may run on this host
// or on another, and be replaced at any time.
import { callActor } from '../sdk/actor';
import { HttpRequest, HttpResponse, onHttp } from '../sdk/http-server';
import { Writer } from '../sdk/writer';

onHttp((request: HttpRequest): HttpResponse => {
  const answer = callActor('wattle/pong', 'Pong.Ping', new Writer().text(request.path));
  if (!answer.ok) return HttpResponse.unavailable(answer.error);
  return HttpResponse.text(`${answer.value.text()}\n`);
});
