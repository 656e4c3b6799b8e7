// Tokens for the real service, as the backend of an application makes them.

import { createHmac } from 'node:crypto';

/** The secret that the service checks tokens with. */
export const SECRET = Buffer.from('a secret for tests alone').toString('base64url');

let made = 0;

/** A token of a user that is valid for some seconds; each is another one. */
export function tokenOf(user, { lifetime = 3600, claims = {} } = {}) {
  made += 1;
  const now = Math.floor(Date.now() / 1000);
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const all = { sub: user, iat: now, exp: now + lifetime, jti: String(made), ...claims };
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(all)}`;
  const signature = createHmac('sha256', Buffer.from(SECRET, 'base64url')).update(signed).digest('base64url');
  return `${signed}.${signature}`;
}
