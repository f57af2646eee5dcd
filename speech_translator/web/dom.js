// Small helpers over the document. Text goes in as text: what strangers wrote is never markup.

export const byId = (id) => document.getElementById(id);

// An element with properties of its own (className, lang, textContent) and children.
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// Hand a file, of one text or of parts, to the reader; the browser takes what it must out of the name.
export function download(name, type, content) {
  const address = URL.createObjectURL(new Blob([content].flat(), { type }));
  const link = make("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

// Copies what an element shows; `field` is a text field or any other element.
export async function copyFrom(field) {
  const isField = "value" in field;
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(isField ? field.value : field.textContent);
    return;
  }
  if (isField) field.select();
  else getSelection().selectAllChildren(field); // without HTTPS there is no clipboard
  document.execCommand("copy");
}
