// Finds sections that have all words of a query, those with them in titles and headings first.

/** Weights of places. */
const [TITLE, HEADING, TEXT] = [12, 6, 1];
/** How much more it counts that a word begins there, or is there as a whole. */
const [BEGINS, WHOLE] = [2, 3];
/** Characters of an excerpt, and how many of them are before the first match. */
const [EXCERPT, BEFORE] = [170, 50];

export class Index {
  #sections;

  /** Takes what the pages were made into: `[title, address, [[heading, anchor, text], …]]`. */
  constructor(pages) {
    this.#sections = pages.flatMap(([title, address, sections]) =>
      sections.map(([heading, anchor, text]) => ({
        title,
        heading,
        text,
        address: anchor === '' ? address : `${address}#${anchor}`,
        isPage: anchor === '',
        lower: { title: title.toLowerCase(), heading: heading.toLowerCase(), text: text.toLowerCase() },
      })),
    );
  }

  /** The best sections for a query, and how many there are in all. */
  find(query, limit) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length === 0) return { total: 0, hits: [] };
    const scored = this.#sections
      .map((section, order) => ({ section, order, score: score(section, words) }))
      .filter(({ score }) => score > 0)
      .sort((left, right) => right.score - left.score || left.order - right.order);
    const hits = scored.slice(0, limit).map(({ section: { title, heading, address, text } }) => ({
      title,
      heading,
      address,
      excerpt: excerpt(text, words),
    }));
    return { total: scored.length, hits };
  }
}

/** How well a section fits; 0 if a word is nowhere in it. */
function score({ lower, isPage }, words) {
  let sum = 0;
  for (const word of words) {
    const places = [
      // That a word is in the title of the page is said by the page's first section.
      [isPage ? TITLE : HEADING / 3, lower.title],
      [HEADING, lower.heading],
      [TEXT, lower.text],
    ];
    const found = places.reduce((found, [weight, text]) => found + weight * fit(text, word), 0);
    if (found === 0) return 0;
    sum += found;
  }
  const phrase = words.join(' ');
  if (words.length > 1 && (lower.heading.includes(phrase) || lower.text.includes(phrase))) sum *= 1.5;
  if (lower.heading === phrase) sum *= 2;
  return sum;
}

const isLetter = (character) => character !== undefined && /[\p{L}\p{N}_]/u.test(character);

/** How well a word fits a text: 0 if it is not there, more where a word begins, most where it is a whole word. */
function fit(text, word) {
  let best = 0;
  for (let at = text.indexOf(word), tries = 0; at !== -1 && best < WHOLE && tries < 20; at = text.indexOf(word, at + 1), tries++) {
    const begins = !isLetter(text[at - 1]) || !isLetter(word[0]);
    const ends = !isLetter(text[at + word.length]);
    best = Math.max(best, begins ? (ends ? WHOLE : BEGINS) : 1);
  }
  return best;
}

/** The part of a text around the first match, in parts that match and parts that do not. */
function excerpt(text, words) {
  const lower = text.toLowerCase();
  const firsts = words.map((word) => lower.indexOf(word)).filter((at) => at !== -1);
  const first = firsts.length === 0 ? 0 : Math.min(...firsts);
  let start = Math.max(0, first - BEFORE);
  // Whole words.
  if (start > 0) start = text.indexOf(' ', start) + 1 || start;
  if (start > first) start = first;
  let end = Math.min(text.length, start + EXCERPT);
  if (end < text.length) end = Math.max(text.lastIndexOf(' ', end), first + 1);
  const shown = `${start > 0 ? '… ' : ''}${text.slice(start, end)}${end < text.length ? ' …' : ''}`;
  return marked(shown, words);
}

function marked(text, words) {
  const lower = text.toLowerCase();
  const parts = [];
  let from = 0;
  while (from < text.length) {
    const next = words.map((word) => ({ at: lower.indexOf(word, from), length: word.length })).filter(({ at }) => at !== -1);
    next.sort((left, right) => left.at - right.at || right.length - left.length);
    const [match] = next;
    if (match === undefined) break;
    if (match.at > from) parts.push({ text: text.slice(from, match.at), isMatch: false });
    parts.push({ text: text.slice(match.at, match.at + match.length), isMatch: true });
    from = match.at + match.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), isMatch: false });
  return parts;
}
