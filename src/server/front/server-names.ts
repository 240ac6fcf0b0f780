/** Chooses a certificate by the name that a client asks for (SNI, RFC 6066 section 3). */

/** The value of the first entry with this name, else of the first one with a wildcard for it (RFC 9525 section 6.3). */
export function chooseByName<T>(
  entries: readonly { readonly names: readonly string[]; readonly value: T }[],
  name: string,
): T | undefined {
  const asked = name.toLowerCase().replace(/\.$/, "");
  // A wildcard stands for one whole label, and not for the domain itself.
  const wildcard = asked.replace(/^[^.]+/, "*");
  for (const wanted of [asked, wildcard]) {
    const found = entries.find(({ names }) => names.includes(wanted));
    if (found !== undefined) return found.value;
  }
  return undefined;
}
