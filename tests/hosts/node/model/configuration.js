// The service's configuration: which buckets belong to the streams that a client asks for.

/**
 * A stream, by its name. `buckets` gives the names of buckets for the parameters of a subscription; `error` makes every
 * subscription fail.
 *
 * @typedef {{isDefault?: boolean, priority?: number, error?: string, buckets: (parameters: object) => string[]}} StreamDefinition
 */

/**
 * Streams and buckets that a request asks for, each bucket with its priority and with the reasons why the client gets it.
 *
 * @param {Record<string, StreamDefinition>} definitions
 * @param {object} request body of `POST /sync/stream`
 */
export function evaluate(definitions, request) {
  /** The streams, as the checkpoint line lists them. */
  const streams = [];
  /** Bucket name to `{priority, reasons}`. */
  const buckets = new Map();

  const indexOf = (name) => {
    const index = streams.findIndex((stream) => stream.name === name);
    if (index !== -1) return index;
    return streams.push({ name, is_default: definitions[name].isDefault === true, errors: [] }) - 1;
  };
  const include = (name, parameters, subscription) => {
    const definition = definitions[name];
    if (definition === undefined) return;
    const index = indexOf(name);
    if (definition.error !== undefined) {
      streams[index].errors.push({ subscription: subscription ?? 'default', message: definition.error });
      return;
    }
    const priority = definition.priority ?? 3;
    const reason = subscription === undefined ? { default: index } : { sub: subscription };
    for (const bucket of definition.buckets(parameters ?? {})) {
      const known = buckets.get(bucket) ?? { priority, reasons: [] };
      buckets.set(bucket, { priority: Math.min(known.priority, priority), reasons: [...known.reasons, reason] });
    }
  };

  const { include_defaults: defaults = true, subscriptions = [] } = request.streams ?? {};
  if (defaults) {
    for (const [name, { isDefault }] of Object.entries(definitions)) if (isDefault) include(name);
  }
  subscriptions.forEach(({ stream, parameters }, index) => include(stream, parameters, index));
  return { streams, buckets };
}
