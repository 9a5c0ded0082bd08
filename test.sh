#!/usr/bin/env bash
# Installs what is missing, builds, checks the format and runs every suite. The last line is "N passed, N failed, N skipped".
set -uo pipefail
cd "$(dirname "$0")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

install_missing() {
  local packages=()
  command -v curl >/dev/null || packages+=(curl)
  command -v node >/dev/null || packages+=(nodejs)
  # keytool, and a compiler for what "java Client.java" runs.
  { command -v javac && command -v keytool; } >/dev/null || packages+=(default-jdk-headless)
  command -v chromium >/dev/null || packages+=(chromium)
  # The program: a shell's own kill is nothing that a test can start.
  [ -n "$(type -P kill)" ] || packages+=(procps)
  # The programs that make a cluster and run it are in no PATH.
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)
  [ ${#packages[@]} -eq 0 ] && return
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Missing: ${packages[*]}. Tests that need them are skipped; install them, or run this script as root on Debian." >&2
    return
  fi
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null ||
    echo "Could not install ${packages[*]}. Tests that need them are skipped." >&2
}

finish() { # message
  [ -n "$1" ] && echo "$1" >&2
  # Once more at the end, where they are found at once and survive a cut of the output.
  [ -n "${results:-}" ] && grep -ho '<test [^>]*result="Fail"' "$results"/*.xml 2>/dev/null | sed 's/.* name="\(.*\)" result=.*/Failed: \1/'
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
  exit
}

passed=0 failed=0 skipped=0
install_missing
dotnet build -c Release || { failed=1; finish "The build failed."; }
dotnet format --no-restore --verify-no-changes || { failed=1; finish "The format differs. Run: dotnet format"; }

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

run_suite() { # suite, name of the run, more arguments
  local suite=$1 name=$2 code counts
  shift 2
  dotnet run -c Release --no-build --project "test/$suite" -- --progress off --report-xunit-xml --report-xunit-xml-filename "$name.xml" --results-directory "$results" "$@"
  code=$?
  counts=$(grep -o '<assembly [^>]*>' "$results/$name.xml" 2>/dev/null | head -n 1)
  count() { grep -o " $1=\"[0-9]*\"" <<<"$counts" | grep -o '[0-9]*' | head -n 1; }
  if [ -z "$counts" ]; then
    echo "$name ended with code $code and without a report." >&2
    failed=$((failed + 1))
    return
  fi
  local bad=$(($(count failed) + $(count errors)))
  # A suite that fails outside a test, or finds none, must not look green.
  [ "$code" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
  passed=$((passed + $(count passed)))
  failed=$((failed + bad))
  skipped=$((skipped + $(count skipped)))
}

run_suite Tidegate.Tests Tidegate.Tests
run_suite Tidegate.EndToEndTests Tidegate.EndToEndTests

# What a client or an upstream can see on the wire must not depend on the transport or on the upstream client: once more on those that are not the default.
wire=(--filter-class '*.Http1WireTests' '*.Wire.*' '*.StreamingTests' '*.TunnelEndTests')
TIDEGATE_TRANSPORT=sockets run_suite Tidegate.EndToEndTests sockets "${wire[@]}" '*.Http2Tests' '*.InterceptionTests' '*.FaultTests' '*.Upstreams.*'
TIDEGATE_UPSTREAM_CLIENT=sockets_http_handler run_suite Tidegate.EndToEndTests sockets_http_handler "${wire[@]}" '*.Http2Tests' '*.InterceptionTests' '*.Upstreams.ResponseFramingTests'
finish ""
