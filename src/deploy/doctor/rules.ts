/** All rules. docs/doctor.md documents them; each rule needs its two tests first. */
import type { Rule } from "./finding.ts";
import { CERTIFICATES } from "./rules/certificates.ts";
import { CONFIGURATION } from "./rules/configuration.ts";
import { ENVIRONMENT } from "./rules/environment.ts";
import { KUBERNETES } from "./rules/kubernetes.ts";
import { MACHINE } from "./rules/machine.ts";
import { NGINX_CONNECTIONS } from "./rules/nginx-connections.ts";
import { NGINX_FIELDS } from "./rules/nginx-fields.ts";
import { NGINX_LIMITS } from "./rules/nginx-limits.ts";
import { PROXY_PROTOCOL } from "./rules/proxy-protocol.ts";
import { SOCKETS } from "./rules/sockets.ts";
import { SYSTEMD_SERVICE } from "./rules/systemd-service.ts";
import { SYSTEMD_TIMES } from "./rules/systemd-times.ts";

export const RULES: readonly Rule[] = [
  ...NGINX_CONNECTIONS,
  ...CERTIFICATES,
  ...NGINX_LIMITS,
  ...NGINX_FIELDS,
  ...PROXY_PROTOCOL,
  ...SOCKETS,
  ...SYSTEMD_TIMES,
  ...SYSTEMD_SERVICE,
  ...KUBERNETES,
  ...CONFIGURATION,
  ...ENVIRONMENT,
  ...MACHINE,
];
