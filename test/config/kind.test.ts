import assert from "node:assert/strict";
import { test } from "node:test";
import { choice, fileMode, flag, type Kind, text, variables } from "../../src/config/kind.ts";
import { forwardedFields, peers, rootPath } from "../../src/config/network-kind.ts";
import {
  count,
  countOrAuto,
  crashLimit,
  duration,
  durationOrNone,
  formatDuration,
  size,
  sizeOrAuto,
} from "../../src/config/number-kind.ts";

interface Case {
  readonly kind: Kind<unknown>;
  readonly name: string;
  readonly good: readonly (readonly [raw: unknown, value: unknown])[];
  readonly bad: readonly (readonly [raw: unknown, reason: RegExp])[];
}

const CASES: Case[] = [
  {
    name: "a flag",
    kind: flag,
    good: [
      [true, true],
      ["yes", true],
      ["0", false],
      [" False ", false],
    ],
    bad: [
      ["", /"" is neither true nor false/],
      ["2", /neither/],
    ],
  },
  {
    name: "a mode",
    kind: fileMode,
    good: [
      ["660", 0o660],
      ["0660", 0o660],
      ["0o77", 0o77],
      ["0", 0],
      [0o640, 0o640],
    ],
    bad: [
      ["8", /"8" is not a mode: write it in octal, as in 660/],
      ["rw-rw----", /not a mode/],
      ["07777", /not a mode/],
      [0o1000, /512 is not a mode/],
      [-1, /not a mode/],
    ],
  },
  {
    name: "variables",
    kind: variables,
    good: [
      ["A=1", { A: "1" }],
      [["A=1", "B=2=3", "C=", "A=4"], { A: "4", B: "2=3", C: "" }],
      [{ A: "1" }, { A: "1" }],
    ],
    bad: [
      ["A", /"A" is not a variable: write NAME=VALUE/],
      ["=1", /not a variable/],
      [["A=1", 5], /\["A=1",5\] is not a variable/],
      [{ A: true }, /\{"A":true\} is not a variable/],
      ["A=\0", /not a variable/],
    ],
  },
  {
    name: "a count that may be automatic",
    kind: countOrAuto(1, 10),
    good: [
      ["4", 4],
      [" Auto ", "auto"],
    ],
    bad: [
      ["0", /0 is too small/],
      ["automatic", /"automatic" is neither a whole number nor auto/],
    ],
  },
  {
    name: "a duration, or none",
    kind: durationOrNone(1000),
    good: [
      ["0", 0],
      ["1", 1000],
    ],
    bad: [["999ms", /"999ms" is too short: at least 1s, or 0/]],
  },
  {
    name: "a crash limit",
    kind: crashLimit,
    good: [
      ["5/60s", { deaths: 5, within: 60_000 }],
      ["3/1m", { deaths: 3, within: 60_000 }],
      ["0", undefined],
    ],
    bad: [
      ["5", /"5" is not a crash limit: write 5\/60s, or 0/],
      ["0/60s", /not a crash limit/],
      ["5/soon", /"soon" is not a duration/],
      ["5/0", /too short/],
    ],
  },
  {
    name: "a count",
    kind: count(1, 10),
    good: [
      ["4", 4],
      [4, 4],
      ["010", 10],
    ],
    bad: [
      ["x", /"x" is not a whole number/],
      ["1.5", /not a whole number/],
      ["-1", /not a whole number/],
      ["1e1", /not a whole number/],
      ["", /not a whole number/],
      [true, /true is not a whole number/],
      ["0", /at least 1/],
      [11, /at most 10/],
    ],
  },
  {
    name: "a duration",
    kind: duration(1),
    good: [
      ["30", 30_000],
      [1.5, 1500],
      ["1.5", 1500],
      ["500ms", 500],
      ["30s", 30_000],
      ["1m", 60_000],
      ["2h", 7_200_000],
    ],
    bad: [
      ["soon", /is not a duration: write 30, 1.5, 500ms, 30s or 1m/],
      ["-1", /is not a duration/],
      ["1d", /is not a duration/],
      ["0", /too short: at least 1ms/],
      ["596.2h", /too long: at most 596h/],
    ],
  },
  {
    name: "a size",
    kind: size(),
    good: [
      ["0", 0],
      [8190, 8190],
      ["512KB", 524_288],
      ["10MB", 10_485_760],
      ["1g", 1_073_741_824],
      ["1.5k", 1536],
    ],
    bad: [
      ["big", /is not a size: write 8190, 512KB, 10MB or 1GB/],
      ["-5", /is not a size/],
      ["10TB", /is not a size/],
      ["99999999999GB", /too large/],
    ],
  },
  {
    name: "a choice",
    kind: choice("auto", "node"),
    good: [
      ["node", "node"],
      ["Auto", "auto"],
    ],
    bad: [["wsgi", /"wsgi" is not one of auto, node/]],
  },
  {
    name: "a list of peers",
    kind: peers,
    good: [
      ["10.0.0.0/8, unix", ["10.0.0.0/8", "unix"]],
      [
        ["::1", "10.0.0.1,*"],
        ["::1", "10.0.0.1", "*"],
      ],
      ["", []],
      ["none", []],
      [[], []],
    ],
    bad: [
      ["localhost", /"localhost" is not an address: use 10.0.0.1, 10.0.0.0\/8, 2001:db8::\/32, unix or \*/],
      ["10.0.0.0/33", /a number from 0 to 32/],
      [false, /false is not a list of names/],
    ],
  },
  {
    name: "a list of fields",
    kind: forwardedFields,
    good: [
      ["X-Forwarded-For,forwarded", ["x-forwarded-for", "forwarded"]],
      [["x-request-id"], ["x-request-id"]],
      ["none", []],
    ],
    bad: [["x-real-ip", /"x-real-ip" is not one of x-forwarded-for, /]],
  },
  {
    name: "a root path",
    kind: rootPath,
    good: [
      ["/app/", "/app"],
      ["/", ""],
    ],
    bad: [
      ["app", /"app" is not a path: write \/app/],
      ["//app", /not a path/],
      [1, /not a path/],
    ],
  },
  {
    name: "a text",
    kind: text("DIR"),
    good: [["a b", "a b"]],
    bad: [
      ["", /is not a name/],
      [1, /is not a name/],
    ],
  },
];

for (const { name, kind, good, bad } of CASES) {
  test(`${name} accepts its values`, () => {
    for (const [raw, value] of good) assert.deepEqual(kind.parse(raw), value);
  });
  test(`${name} refuses other values with the reason`, () => {
    for (const [raw, reason] of bad) assert.throws(() => kind.parse(raw), reason, String(raw));
  });
}

test("a formatted size parses to the same size, in the largest unit that divides it", () => {
  for (const written of ["0", "8190", "32KB", "10MB", "1GB", "1536MB"])
    assert.equal(size().format(size().parse(written)), written);
  assert.equal(size().format(1_048_577), "1048577");
  assert.equal(sizeOrAuto().format("auto"), "auto");
});

test("a formatted duration parses to the same duration", () => {
  for (const written of ["0", "500ms", "1.5s", "30s", "75s"]) {
    assert.equal(formatDuration(duration().parse(written)), written);
  }
});
