import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { generatedFiles } from "../../scripts/generated.ts";
import { ABSENT_SETTINGS, RENAMED_SETTINGS } from "../../src/config/gunicorn.ts";
import { SETTING_NAMES, type Setting, settingLabel, settings } from "../../src/config/settings.ts";

const ROOT = join(import.meta.dirname, "..", "..");

for (const [path, text] of Object.entries(generatedFiles())) {
  test(`${path} is what npm run generate makes of the table`, () => {
    assert.equal(readFileSync(join(ROOT, path), "utf8"), text, "run npm run generate");
  });
}

const OUR_FLAGS = new Set(
  SETTING_NAMES.flatMap((name) => [
    `--${settingLabel(name)}`,
    `--no-${settingLabel(name)}`,
    ...((settings[name] as Setting<unknown>).flags ?? []),
  ]),
);

test("what gunicorn has and tsgun has not is told so, and nothing is on both sides", () => {
  const seen = new Set<string>();
  for (const { name, flags } of ABSENT_SETTINGS) {
    for (const way of [name, ...flags]) {
      assert.ok(!seen.has(way), `${way} is there twice`);
      assert.ok(!OUR_FLAGS.has(way), `${way} is a setting of ours`);
      seen.add(way);
    }
    assert.ok(!Object.hasOwn(RENAMED_SETTINGS, name), name);
  }
});

/** The flags of gunicorn 26. */
const GUNICORN =
  `-c --config -b --bind --backlog -w --workers -k --worker-class --threads --worker-connections
  --max-requests --max-requests-jitter -t --timeout --graceful-timeout --keep-alive --limit-request-line
  --limit-request-fields --limit-request-field_size --reload --reload-engine --reload-extra-file --spew --check-config
  --print-config --preload --no-sendfile --reuse-port --chdir -D --daemon -e --env -p --pid --worker-tmp-dir -u --user
  -g --group -m --umask --initgroups --forwarded-allow-ips --access-logfile --disable-redirect-access-to-syslog
  --access-logformat --error-logfile --log-file --log-level --capture-output --logger-class --log-config
  --log-config-json --log-syslog-to --log-syslog --log-syslog-prefix --log-syslog-facility -R
  --enable-stdio-inheritance --statsd-host --dogstatsd-tags --statsd-prefix --enable-backlog-metric -n --name
  --pythonpath --paste --paster --paste-global --proxy-protocol --proxy-allow-from --protocol --uwsgi-allow-from
  --keyfile --certfile --ssl-version --cert-reqs --ca-certs --ciphers --suppress-ragged-eofs
  --do-handshake-on-connect --http-protocols --http2-cleartext --http2-max-concurrent-streams
  --http2-initial-window-size --http2-max-frame-size --http2-max-header-list-size --permit-obsolete-folding
  --strip-header-spaces --permit-unconventional-http-method --permit-unconventional-http-version
  --casefold-http-method --forwarder-headers --header-map --asgi-loop --asgi-lifespan
  --asgi-disconnect-grace-period --http-parser --root-path --dirty-app --dirty-workers --dirty-timeout
  --dirty-threads --dirty-graceful-timeout --control-socket --control-socket-mode --no-control-socket`.split(
    /\s+/,
  );

test("every flag of gunicorn is a setting, or says what to do instead", () => {
  const known = new Set([...OUR_FLAGS, ...ABSENT_SETTINGS.flatMap(({ flags }) => flags)]);
  assert.deepEqual(
    GUNICORN.filter((flag) => !known.has(flag)),
    [],
  );
});
