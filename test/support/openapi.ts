/** docs/openapi.yaml: its content, and checks of real responses against its schemas. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { parse } from "yaml";

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
}

interface Operation {
  readonly "x-audience": string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
}

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export function openapi(): OpenApi {
  return parse(readFileSync(join(import.meta.dirname, "..", "..", "docs", "openapi.yaml"), "utf8"));
}

/** Validates responses, and keeps which members of the schemas they had. */
export class Responses {
  readonly #document = openapi();
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #seen = new Set<string>();
  readonly #seenResponses = new Set<string>();

  constructor() {
    this.#ajv.addSchema(this.#document, "openapi");
  }

  /**
   * Checks a response. `path` is as in the file, `type` the media type.
   * @throws AssertionError that names the member that differs
   */
  check(method: string, path: string, status: number, type: string, body: unknown): void {
    const escaped = path.replaceAll("~", "~0").replaceAll("/", "~1");
    const content = this.#document.paths[path]?.[method]?.responses[status]?.content?.[type];
    assert.ok(content !== undefined, `${method} ${path} has no ${type} for ${status} in docs/openapi.yaml`);
    const escapedType = encodeURIComponent(type.replaceAll("/", "~1"));
    const pointer = `openapi#/paths/${encodeURIComponent(escaped)}/${method}/responses/${status}/content/${escapedType}/schema`;
    const validate = this.#validators.get(pointer) ?? this.#ajv.compile({ $ref: pointer });
    this.#validators.set(pointer, validate);
    assert.ok(
      validate(body),
      `${method} ${path} ${status}: ${this.#ajv.errorsText(validate.errors)}\n${JSON.stringify(body)?.slice(0, 3000)}`,
    );
    this.#seenResponses.add(`${method} ${path} ${status} ${type}`);
    this.#note(content.schema, body, `${method} ${path}`);
  }

  /** Members of the schemas, as `EventReport.reason`, that no response has had. */
  get missingMembers(): string[] {
    const all = Object.entries(this.#document.components.schemas).flatMap(([name, schema]) =>
      members(schema, name),
    );
    return all.filter((member) => !this.#seen.has(member)).sort();
  }

  /** Successful responses of the file that have not been seen. */
  get missingResponses(): string[] {
    return Object.entries(this.#document.paths)
      .flatMap(([path, operations]) =>
        Object.entries(operations).flatMap(([method, { responses }]) =>
          Object.entries(responses["200"]?.content ?? {}).map(([type]) => `${method} ${path} 200 ${type}`),
        ),
      )
      .filter((response) => !this.#seenResponses.has(response))
      .sort();
  }

  #note(schema: Schema, value: unknown, name: string): void {
    if (value === null || value === undefined) return;
    if (schema.$ref !== undefined) {
      const target = schema.$ref.split("/").at(-1) as string;
      this.#note(this.#document.components.schemas[target] as Schema, value, target);
    }
    for (const each of schema.oneOf ?? []) this.#note(each, value, name);
    if (Array.isArray(value)) {
      for (const each of value) if (schema.items !== undefined) this.#note(schema.items, each, name);
    } else if (typeof value === "object")
      for (const [member, inner] of Object.entries(schema.properties ?? {})) {
        if (!(member in value)) continue;
        this.#seen.add(`${name}.${member}`);
        this.#note(inner, (value as Record<string, unknown>)[member], `${name}.${member}`);
      }
  }
}

function members(schema: Schema, name: string): string[] {
  return [
    ...Object.entries(schema.properties ?? {}).flatMap(([member, inner]) => [
      `${name}.${member}`,
      ...members(inner, `${name}.${member}`),
    ]),
    ...(schema.items === undefined ? [] : members(schema.items, name)),
    ...(schema.oneOf ?? []).flatMap((each) => members(each, name)),
  ];
}
