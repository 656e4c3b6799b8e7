// @ts-check
// Finds parts of a configuration's text, as people have written them.

/**
 * The lines of a stream or bucket definition; null if the text is written in another style.
 * @param {string} yaml
 * @param {string} name
 * @returns {string | null}
 */
export function streamText(yaml, name) {
  const lines = yaml.split('\n');
  const indent = (/** @type {string} */ line) => line.length - line.trimStart().length;
  let top = '';
  for (let start = 0; start < lines.length; start++) {
    const line = lines[start];
    if (/^\w/.test(line)) top = line;
    if (!/^(streams|bucket_definitions):/.test(top) || indent(line) === 0) continue;
    const key = line.trim().match(/^(?:"([^"]+)"|'([^']+)'|([^:\s#]+))\s*:/);
    if (!key || (key[1] ?? key[2] ?? key[3]) !== name) continue;
    let end = start + 1;
    while (end < lines.length && (lines[end].trim() === '' || indent(lines[end]) > indent(line))) end++;
    // Comments right above belong to it.
    let first = start;
    while (first > 0 && lines[first - 1].trim().startsWith('#') && indent(lines[first - 1]) === indent(line)) first--;
    const own = indent(line);
    return lines.slice(first, end).map((one) => one.slice(Math.min(own, indent(one)))).join('\n').trimEnd();
  }
  return null;
}
