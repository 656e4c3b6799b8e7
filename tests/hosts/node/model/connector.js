// The part of an application that the SDK asks for, for the model: any token is right, and nothing is uploaded unless
// somebody puts another `uploadData` in place.

export class Connector {
  /** How often the SDK asked for credentials. */
  credentialRequests = 0;

  /** @param {{url: string}} service */
  constructor(service) {
    this.service = service;
  }

  async fetchCredentials() {
    this.credentialRequests += 1;
    return { endpoint: this.service.url, token: `token-${this.credentialRequests}` };
  }

  async uploadData() {}
}
