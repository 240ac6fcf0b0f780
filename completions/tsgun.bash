# Completion of tsgun for bash; generated: tsgun completion bash
_tsgun() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  if [[ ${COMP_WORDS[1]} == ctl && $COMP_CWORD -gt 1 ]]; then
    local own=
    case " ${COMP_WORDS[*]:2:COMP_CWORD-2} " in
      *" events "*)
        case $before in

        esac
        own="-f --follow" ;;
      *" logs "*)
        case $before in

        esac
        own="-f --follow" ;;
      *" inject "*)
        case $before in
          --slot) :; return ;;
          --worker) :; return ;;
          --method) :; return ;;
          -H|--header) :; return ;;
          -d|--data) :; return ;;
          --timeout) :; return ;;
        esac
        own="--slot --worker --method -H --header -d --data -i --include --timeout" ;;
      *" stack "*)
        case $before in
          --wait) :; return ;;
        esac
        own="--wait" ;;
      *" profile "*)
        case $before in
          -o|--output) COMPREPLY=($(compgen -f -- "$word")); return ;;
          --seconds) :; return ;;
        esac
        own="-o --output --seconds" ;;
      *" heap "*)
        case $before in
          -o|--output) COMPREPLY=($(compgen -f -- "$word")); return ;;
        esac
        own="-o --output --yes" ;;
      *" trace "*)
        case $before in
          --minutes) :; return ;;
        esac
        own="--minutes" ;;
      *" stop "*)
        case $before in

        esac
        own="--quick" ;;
    esac
    case $before in
      -c|--config) COMPREPLY=($(compgen -f -- "$word")); return ;;
      --name) :; return ;;
      --pid) :; return ;;
      --control-socket) COMPREPLY=($(compgen -f -- "$word")); return ;;
    esac
    COMPREPLY=($(compgen -W "status workers requests stats listeners config events logs inject stack profile heap trace reload upgrade reopen scale restart stop $own -c --config --name --pid --control-socket --json -h --help" -- "$word"))
    return
  fi
  if [[ ${COMP_WORDS[1]} == completion && $COMP_CWORD -gt 1 ]]; then
    COMPREPLY=($(compgen -W "bash zsh fish" -- "$word"))
    return
  fi
  if [[ ${COMP_WORDS[1]} == init && $COMP_CWORD -gt 1 ]]; then
    case $before in
      --app) :; return ;;
      --domain) :; return ;;
      --folder) COMPREPLY=($(compgen -d -- "$word")); return ;;
    esac
    COMPREPLY=($(compgen -W "config nginx systemd docker kubernetes grafana --app --domain --folder --dry-run --force -h --help" -- "$word"))
    return
  fi
  if [[ ${COMP_WORDS[1]} == ps && $COMP_CWORD -gt 1 ]]; then
    case $before in

    esac
    COMPREPLY=($(compgen -W "--json -h --help" -- "$word"))
    return
  fi
  if [[ ${COMP_WORDS[1]} == top && $COMP_CWORD -gt 1 ]]; then
    case $before in
      -c|--config) COMPREPLY=($(compgen -f -- "$word")); return ;;
      --name) :; return ;;
      --pid) :; return ;;
      --control-socket) COMPREPLY=($(compgen -f -- "$word")); return ;;
      --interval) :; return ;;
    esac
    COMPREPLY=($(compgen -W "-c --config --name --pid --control-socket --interval --once --json -h --help" -- "$word"))
    return
  fi
  if [[ ${COMP_WORDS[1]} == why && $COMP_CWORD -gt 1 ]]; then
    case $before in
      -n|--name) :; return ;;
      -c|--config) COMPREPLY=($(compgen -f -- "$word")); return ;;
      --record-dir) COMPREPLY=($(compgen -d -- "$word")); return ;;
    esac
    COMPREPLY=($(compgen -W "last -l --list -a --all --json -n --name -c --config --record-dir -h --help" -- "$word"))
    return
  fi
  if [[ ${COMP_WORDS[1]} == doctor && $COMP_CWORD -gt 1 ]]; then
    case $before in
      -c|--config) COMPREPLY=($(compgen -f -- "$word")); return ;;
      --nginx) COMPREPLY=($(compgen -f -- "$word")); return ;;
      --systemd) COMPREPLY=($(compgen -f -- "$word")); return ;;
      --kubernetes) COMPREPLY=($(compgen -f -- "$word")); return ;;
      --pid) :; return ;;
      --control-socket) COMPREPLY=($(compgen -f -- "$word")); return ;;
    esac
    COMPREPLY=($(compgen -W "-c --config --nginx --systemd --kubernetes --pid --control-socket --json -h --help" -- "$word"))
    return
  fi
  case $before in
    -c|--config) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --interface) COMPREPLY=($(compgen -W "auto gateway fetch node server" -- "$word")); return ;;
    --adopt) :; return ;;
    --other-servers) COMPREPLY=($(compgen -W "one-worker refuse" -- "$word")); return ;;
    --chdir) COMPREPLY=($(compgen -d -- "$word")); return ;;
    -e|--env) :; return ;;
    --env-file) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --env-file-if-exists) COMPREPLY=($(compgen -f -- "$word")); return ;;
    -b|--bind) :; return ;;
    --worker-bind) :; return ;;
    --backlog) :; return ;;
    --socket-mode) :; return ;;
    --socket-owner) :; return ;;
    --http-protocols) :; return ;;
    --http2-cleartext) COMPREPLY=($(compgen -W "prior-knowledge off" -- "$word")); return ;;
    --certfile) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --keyfile) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --keyfile-password) :; return ;;
    --keyfile-password-file) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --ca-certs) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --cert-reqs) COMPREPLY=($(compgen -W "none optional required" -- "$word")); return ;;
    --ciphers) :; return ;;
    --ssl-version) COMPREPLY=($(compgen -W "TLSv1.2 TLSv1.3" -- "$word")); return ;;
    --forwarded-allow-ips) :; return ;;
    --forwarded-headers) :; return ;;
    --proxy-protocol) COMPREPLY=($(compgen -W "off v1 v2 auto" -- "$word")); return ;;
    --proxy-allow-from) :; return ;;
    --root-path) :; return ;;
    -w|--workers) COMPREPLY=($(compgen -W "auto" -- "$word")); return ;;
    --worker-connections) :; return ;;
    --max-requests) :; return ;;
    --max-requests-jitter) :; return ;;
    --max-memory) COMPREPLY=($(compgen -W "auto" -- "$word")); return ;;
    --max-old-space) COMPREPLY=($(compgen -W "auto" -- "$word")); return ;;
    --max-lifetime) :; return ;;
    --max-lifetime-jitter) :; return ;;
    --reload-surge) :; return ;;
    --crash-limit) :; return ;;
    --warmup-path) :; return ;;
    --upgrade-mode) COMPREPLY=($(compgen -W "auto manual" -- "$word")); return ;;
    -n|--name) :; return ;;
    -p|--pid) COMPREPLY=($(compgen -f -- "$word")); return ;;
    -u|--user) :; return ;;
    -g|--group) :; return ;;
    -m|--umask) :; return ;;
    --reload-engine) COMPREPLY=($(compgen -W "auto poll" -- "$word")); return ;;
    --reload-extra-file) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --http2-max-concurrent-streams) :; return ;;
    --http2-initial-window-size) :; return ;;
    --http2-max-frame-size) :; return ;;
    --http2-max-header-list-size) :; return ;;
    --limit-request-line) :; return ;;
    --limit-request-fields) :; return ;;
    --limit-request-field-size) :; return ;;
    --limit-request-body) :; return ;;
    --max-in-flight) :; return ;;
    --max-queue) :; return ;;
    --never-shed) :; return ;;
    --keep-alive-requests) :; return ;;
    --queue-timeout) :; return ;;
    --header-timeout) :; return ;;
    --body-timeout) :; return ;;
    --body-total-timeout) :; return ;;
    --body-min-rate) :; return ;;
    --response-min-rate) :; return ;;
    --request-timeout) :; return ;;
    --keep-alive) :; return ;;
    -t|--timeout) :; return ;;
    --boot-timeout) :; return ;;
    --graceful-timeout) :; return ;;
    --drain-delay) :; return ;;
    --linger) :; return ;;
    --access-logfile) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --access-logformat) :; return ;;
    --error-logfile) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --log-format) COMPREPLY=($(compgen -W "text json" -- "$word")); return ;;
    --log-level) COMPREPLY=($(compgen -W "debug info warning error critical" -- "$word")); return ;;
    --log-syslog-to) :; return ;;
    --log-syslog-prefix) :; return ;;
    --log-syslog-facility) COMPREPLY=($(compgen -W "user daemon local0 local1 local2 local3 local4 local5 local6 local7 auth authpriv cron ftp kern lpr mail news security syslog uucp" -- "$word")); return ;;
    --admin-certfile) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --admin-keyfile) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --control-socket) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --control-readonly-socket) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --admin-bind) :; return ;;
    --admin-token) :; return ;;
    --admin-token-file) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --record-dir) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --min-ready) :; return ;;
    --metrics-compat) COMPREPLY=($(compgen -W "none prom-client" -- "$word")); return ;;
    --statsd-host) :; return ;;
    --statsd-prefix) :; return ;;
    --dogstatsd-tags) :; return ;;
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "-v --version -c --config --no-config --check-config --print-config --interface --adopt --other-servers --preload --chdir -e --env --env-file --env-file-if-exists -b --bind --worker-bind --backlog --reuse-port --socket-mode --socket-owner --http-protocols --http2-cleartext --certfile --keyfile --keyfile-password --keyfile-password-file --ca-certs --cert-reqs --ciphers --ssl-version --forwarded-allow-ips --forwarded-headers --proxy-protocol --proxy-allow-from --root-path -w --workers --worker-connections --max-requests --max-requests-jitter --max-memory --max-old-space --max-lifetime --max-lifetime-jitter --reload-surge --crash-limit --warmup-path -D --daemon --upgrade-mode -n --name -p --pid -u --user -g --group --initgroups -m --umask --reload --reload-engine --reload-extra-file --show-errors --http2-max-concurrent-streams --http2-initial-window-size --http2-max-frame-size --http2-max-header-list-size --limit-request-line --limit-request-fields --limit-request-field-size --limit-request-body --max-in-flight --max-queue --never-shed --keep-alive-requests --queue-timeout --header-timeout --body-timeout --body-total-timeout --body-min-rate --response-min-rate --request-timeout --keep-alive -t --timeout --boot-timeout --graceful-timeout --drain-delay --linger --access-logfile --no-access-logfile --access-logformat --error-logfile --log-format --log-level --capture-output --log-syslog --disable-redirect-access-to-syslog --log-syslog-to --log-syslog-prefix --log-syslog-facility --admin-certfile --admin-keyfile --control-socket --no-control-socket --control-readonly-socket --no-control-readonly-socket --admin-bind --dashboard --no-dashboard --admin-token --admin-token-file --record-dir --no-record-dir --min-ready --metrics --no-metrics --app-metrics --metrics-compat --statsd-host --statsd-prefix --dogstatsd-tags --enable-backlog-metric -h --help" -- "$word"))
    return
  fi
  [[ $COMP_CWORD == 1 ]] && COMPREPLY=($(compgen -W "ps top ctl why dev init doctor completion help" -- "$word"))
  local file
  while IFS= read -r file; do
    [[ -d $file || $file =~ \.(ts|mts|cts|js|mjs|cjs)$ ]] && COMPREPLY+=("$file")
  done < <(compgen -f -- "$word")
}
complete -o filenames -F _tsgun tsgun
