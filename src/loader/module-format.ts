/**
 * Whether a file of the app is a CommonJS or an ES module: what it is once `tsc` has compiled it and Node runs the
 * result. Where the project leaves that open (no "type" in package.json, and a tsconfig.json that keeps import and
 * export), the syntax decides: a file that uses `require` or `__dirname` works as CommonJS only, any other with import
 * or export is an ES module, as for Node.
 */
import { dirname, sep } from "node:path";
import { type ModuleFormat, packageType } from "./package-type.ts";
import { projectOf } from "./tsconfig.ts";

/** The values of `module` that make tsc write CommonJS unless package.json says "module". */
const COMMONJS_OUTPUT = /^(?:commonjs|none|node\d+|nodenext)$/i;

const PACKAGES = `${sep}node_modules${sep}`;

/** Whether `file` belongs to a package, which we run as it is. */
export function isOfPackage(file: string): boolean {
  return file.includes(PACKAGES);
}

/** The format that the extension, package.json and tsconfig.json give a TypeScript file; undefined if its syntax decides. */
export function declaredFormat(file: string): ModuleFormat | undefined {
  if (file.endsWith(".cts")) return "commonjs";
  if (file.endsWith(".mts")) return "module";
  const folder = dirname(file);
  const type = packageType(folder);
  if (type !== undefined) return type;
  return COMMONJS_OUTPUT.test(projectOf(folder).options.module ?? "") ? "commonjs" : undefined;
}

const COMMENT_OR_TEXT = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g;
const TYPE_IMPORT = /\bimport\s+type\s+\w+\s*=\s*require\b/g;
const COMMONJS_ONLY =
  /\bimport\s+(?!type\b)\w+\s*=\s*require\b|\bexport\s*=|\b__(?:dirname|filename)\b|(?<![.\w$])(?:require\s*\(|require\.(?:main|resolve|cache)\b|module\.(?:exports|parent)\b)/;
const ES_MODULE_ONLY =
  /\bimport\.meta\b|\b(?:const|let|var|function)\s+(?:__(?:dirname|filename)|require|module)\b/;

/** Whether `source` uses what only CommonJS has, and nothing that only an ES module has. A guess by words. */
export function usesCommonJs(source: string): boolean {
  const code = source.replace(COMMENT_OR_TEXT, '""').replace(TYPE_IMPORT, "");
  return COMMONJS_ONLY.test(code) && !ES_MODULE_ONLY.test(code);
}
