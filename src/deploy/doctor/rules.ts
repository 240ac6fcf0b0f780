/** All rules. docs/doctor.md documents them; each rule needs its two tests first. */
import type { Rule } from "./finding.ts";
import { CERTIFICATE_NAMES } from "./rules/certificate-names.ts";
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
import { TRUSTED_FILES } from "./rules/trusted-files.ts";

export const RULES: readonly Rule[] = [
  ...NGINX_CONNECTIONS,
  ...CERTIFICATES,
  ...CERTIFICATE_NAMES,
  ...NGINX_LIMITS,
  ...NGINX_FIELDS,
  ...PROXY_PROTOCOL,
  ...SOCKETS,
  ...TRUSTED_FILES,
  ...SYSTEMD_TIMES,
  ...SYSTEMD_SERVICE,
  ...KUBERNETES,
  ...CONFIGURATION,
  ...ENVIRONMENT,
  ...MACHINE,
];
