// Who this actor is. The build puts the name and version of the actor's `actor.json` in the place of these.

export const name: string = 'actor';
export const version: string = '0.0.0';
