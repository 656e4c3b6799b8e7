// Buttons that copy the code of a block.

/** How long a button says that it has copied, in milliseconds. */
const SHOWN = 1600;

/** Adds a button to each block. Without a secure connection, browsers let no page write to the clipboard. */
export function addCopyButtons(blocks) {
  if (navigator.clipboard === undefined) return;
  for (const block of blocks) block.append(button(block.querySelector('code')));
}

function button(code) {
  const element = document.createElement('button');
  element.type = 'button';
  element.className = 'copy';
  element.textContent = 'Copy';
  element.setAttribute('aria-label', 'Copy this code');
  let timer;
  element.addEventListener('click', async () => {
    const worked = await navigator.clipboard.writeText(textOf(code)).then(() => true, () => false);
    element.textContent = worked ? 'Copied' : 'Not copied';
    element.setAttribute('aria-label', element.textContent);
    element.classList.add('done');
    clearTimeout(timer);
    timer = setTimeout(() => {
      element.textContent = 'Copy';
      element.setAttribute('aria-label', 'Copy this code');
      element.classList.remove('done');
    }, SHOWN);
  });
  return element;
}

/** The code; of a session on a console only what was typed. */
function textOf(code) {
  const text = code.textContent;
  if (code.dataset.language !== 'console') return text;
  const typed = text.split('\n').filter((line) => line.startsWith('$ '));
  return typed.map((line) => line.slice(2)).join('\n');
}
