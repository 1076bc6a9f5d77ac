/** A state tensor is named `WEIGHT/SLOT`. */
export function splitName(name: string): { readonly weight: string; readonly slot: string } {
  const at = name.lastIndexOf('/');
  return { weight: name.slice(0, Math.max(0, at)), slot: name.slice(at + 1) };
}
