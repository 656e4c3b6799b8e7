// What a browser is told when a key is pressed.

const NAMED = {
  Enter: { code: 'Enter', virtual: 13, text: '\r' },
  Tab: { code: 'Tab', virtual: 9 },
  Escape: { code: 'Escape', virtual: 27 },
  Backspace: { code: 'Backspace', virtual: 8 },
  Delete: { code: 'Delete', virtual: 46 },
  ArrowLeft: { code: 'ArrowLeft', virtual: 37 },
  ArrowUp: { code: 'ArrowUp', virtual: 38 },
  ArrowRight: { code: 'ArrowRight', virtual: 39 },
  ArrowDown: { code: 'ArrowDown', virtual: 40 },
  Home: { code: 'Home', virtual: 36 },
  End: { code: 'End', virtual: 35 },
  PageUp: { code: 'PageUp', virtual: 33 },
  PageDown: { code: 'PageDown', virtual: 34 },
  Space: { key: ' ', code: 'Space', virtual: 32, text: ' ' },
  Plus: { key: '+', code: 'Equal', virtual: 187, text: '+' },
};

const MODIFIERS = { Alt: 1, Control: 2, Meta: 4, Shift: 8 };

/** Commands that an editing key stands for: a browser without a desktop does not know its shortcuts. */
const COMMANDS = { 'Control+a': ['selectAll'] };

/** The event for a key: `a`, `/`, `Enter`, `Shift+Tab`, `Control+k`. */
export function keyOf(description) {
  const parts = description.length > 1 ? description.split('+') : [description];
  const name = parts.pop();
  const modifiers = parts.reduce((sum, part) => sum + MODIFIERS[part], 0);
  const { key = name, code, virtual, text } = NAMED[name] ?? ordinary(name);
  // With Control or Alt, a key writes nothing.
  const writes = text !== undefined && (modifiers & ~MODIFIERS.Shift) === 0;
  return {
    key,
    code,
    modifiers,
    windowsVirtualKeyCode: virtual,
    ...(writes ? { text } : {}),
    ...(COMMANDS[description] ? { commands: COMMANDS[description] } : {}),
  };
}

function ordinary(character) {
  if ([...character].length !== 1) throw new Error(`there is no key ${character}`);
  if (character === ' ') return NAMED.Space;
  const upper = character.toUpperCase();
  if (/[A-Z]/.test(upper)) return { code: `Key${upper}`, virtual: upper.charCodeAt(0), text: character };
  if (/[0-9]/.test(character)) return { code: `Digit${character}`, virtual: character.charCodeAt(0), text: character };
  return { code: '', virtual: 0, text: character };
}
