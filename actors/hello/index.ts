// The smallest actor: answers every HTTP request with a greeting, and with its version, so that one can watch an update.
import { HttpRequest, HttpResponse, onHttp } from '../sdk/http-server';
import { version } from '../sdk/self';

onHttp((_request: HttpRequest): HttpResponse => HttpResponse.text(`Hello from Wattle ${version}\n`));
