/**
 * Builds the `headers` of node's requests faster. Node does so for every request, since it looks for Expect there itself,
 * and works out from each field's name how to treat repetitions: a fifth of what a small request costs. For the first
 * field of a name that is always an assignment, so the name it is kept by is remembered. Whatever else a field may be
 * (repeated, Set-Cookie, a name that every object has) is left to node.
 */
import { IncomingMessage } from "node:http";

/** The object that fields are added to. */
type Fields = Record<string, unknown>;

/** Adds a field that a message has received to its `headers` or `trailers`. */
type AddField = (this: unknown, name: string, value: string, fields: Fields) => void;

/** Far more than the clients of a server send in practice. Beyond it the names are learned anew. */
const MAX_NAMES = 512;

/** The messages of node, with the method that `headers` calls for each field. */
interface Messages {
  _addHeaderLine?: AddField;
}

/** From now on remembers names, for the life of the process. Does nothing where node has no such method. */
export function rememberHeaderNames(
  messages: Messages = IncomingMessage.prototype as unknown as Messages,
): void {
  const add = messages._addHeaderLine;
  if (typeof add !== "function" || remembering.has(add)) return;
  const names = new Map<string, string | undefined>();
  const learn = (message: unknown, name: string): string | undefined => {
    if (names.size === MAX_NAMES) names.clear();
    const kept = keptName(add, message, name);
    names.set(name, kept);
    return kept;
  };
  const addField: AddField = function (name, value, fields) {
    let kept = names.get(name);
    if (kept === undefined && !names.has(name)) kept = learn(this, name);
    if (kept !== undefined && fields[kept] === undefined) fields[kept] = value;
    else add.call(this, name, value, fields);
  };
  remembering.add(addField);
  messages._addHeaderLine = addField;
}

const remembering = new WeakSet<AddField>();

/** The name by which `add` keeps the first field of a name, if it keeps its value as it is. */
function keptName(add: AddField, message: unknown, name: string): string | undefined {
  const value = "value";
  const fields: Fields = {};
  add.call(message, name, value, fields);
  const [kept, ...others] = Object.keys(fields);
  return kept !== undefined && others.length === 0 && fields[kept] === value ? kept : undefined;
}
