/** Writes a Kubernetes Deployment and Service. The probes ask the arbiter, which answers even when every worker is busy. */

import { formatDuration } from "../../config/number-kind.ts";
import { QUIT_TIMEOUT_MS } from "../../config/stop-time.ts";
import { CONTAINER, type Deployment, seconds, stopSeconds } from "./deployment.ts";
import { containerArguments } from "./docker.ts";

/** Minimum time to keep serving after TERM: nodes that have not yet removed the pod still send it connections. */
const MIN_DRAIN_DELAY_MS = 5000;
const STARTUP_PERIOD_S = 2;
/** The image's user `node`. `runAsNonRoot` can verify only a numeric user. */
const NODE_UID = 1000;

export function kubernetesManifest({ name, config }: Deployment): string {
  const drainDelay = Math.max(MIN_DRAIN_DELAY_MS, config.drainDelay);
  const words = [...containerArguments("0.0.0.0"), "--drain-delay", formatDuration(drainDelay)];
  const starts = Math.ceil(seconds(config.bootTimeout) / STARTUP_PERIOD_S) + 1;
  return `# kubectl apply -f deploy/kubernetes/${name}.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
  labels:
    app.kubernetes.io/name: ${name}
spec:
  replicas: 2
  selector:
    matchLabels:
      app.kubernetes.io/name: ${name}
  strategy:
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  template:
    metadata:
      labels:
        app.kubernetes.io/name: ${name}
    spec:
      # Longer than --drain-delay (${seconds(drainDelay)}s), --graceful-timeout (${seconds(config.gracefulTimeout)}s) and the time to cut what is left (${seconds(QUIT_TIMEOUT_MS)}s) together.
      terminationGracePeriodSeconds: ${stopSeconds(config, drainDelay)}
      securityContext:
        runAsNonRoot: true
        runAsUser: ${NODE_UID}
        runAsGroup: ${NODE_UID}
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: ${name}
          # Where you pushed the image to, with a tag for each version.
          image: ${name}:latest
          # --drain-delay replaces a preStop hook: after TERM the pod reports that it is not ready and keeps serving
          # until nodes stop sending it connections. tsgun trusts the forwarded fields of the proxy in front (an Ingress)
          # if --forwarded-allow-ips includes its network.
          args: [${words.map((word) => JSON.stringify(word)).join(", ")}]
          ports:
            - name: http
              containerPort: ${CONTAINER.port}
            - name: health
              containerPort: ${CONTAINER.healthPort}
          # As long as a worker may take to boot.
          startupProbe:
            httpGet: { path: /health/startup, port: health }
            periodSeconds: ${STARTUP_PERIOD_S}
            failureThreshold: ${starts}
          readinessProbe:
            httpGet: { path: /health/ready, port: health }
            periodSeconds: 2
            failureThreshold: 1
          # tsgun replaces workers that hang. Kubernetes restarts the pod only if the arbiter hangs.
          livenessProbe:
            httpGet: { path: /health/live, port: health }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          # With workers: "auto" the CPU limit sets the number of workers.
          resources:
            requests: { cpu: 500m, memory: 512Mi }
            limits: { cpu: "2", memory: 1Gi }
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
          volumeMounts:
            - name: tmp
              mountPath: /tmp
      volumes:
        - name: tmp
          emptyDir: {}
---
apiVersion: v1
kind: Service
metadata:
  name: ${name}
  labels:
    app.kubernetes.io/name: ${name}
spec:
  selector:
    app.kubernetes.io/name: ${name}
  ports:
    - name: http
      port: 80
      targetPort: http
`;
}
