#!/usr/bin/env bash
# Runs all that shows that landlords are kept apart, and writes reports to build/:
# the isolation suite, against its own Postgres, and the probe, against a
# `rowhouse dev` of its own on free ports in a folder that is thrown away.
# The exit status is 0 only if both hold; `make isolation` calls it.
set -euo pipefail
cd "$(dirname "$0")/../.."

mkdir -p build
: >build/isolation-dev.txt
dir=$(mktemp -d)
chmod 755 "$dir" # root's Postgres runs as another user
dev=

finish() {
	if [ -n "$dev" ]; then
		kill -INT "$dev" 2>/dev/null || true
		wait "$dev" 2>/dev/null || true
	fi
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

free_port() {
	local port
	while port=$((20000 + RANDOM % 10000)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
	echo "$port"
}

# dev must be ours alone, whatever this shell has set
unset DATABASE_URL MIGRATE_DATABASE_URL SUPABASE_URL SUPABASE_ANON_KEY OVERPASS_URL STORAGE_BUCKET STORAGE_DIR SEAL_KEYS \
	INVITE_KEYS WORKER_DATABASE_URL SMTP_URL MAIL_FROM MAIL_HOOK_SECRET PUBLIC_URL AUTH_HOOK_SECRETS AUTH_WEBHOOK_SECRET
api=$(free_port) auth=$(free_port) postgres=$(free_port) mails=$(free_port) smtp=$(free_port)

failed=0

echo "The isolation suite runs; it takes some minutes."
if make --no-print-directory suite | tee build/isolation-suite.txt; then
	suite=HELD
else
	suite=FAILED failed=1
fi
make --no-print-directory build # with the suite's result, for the report that landlords get

ADDR=127.0.0.1:$api DEV_AUTH_ADDR=127.0.0.1:$auth DEV_POSTGRES_PORT=$postgres \
	DEV_MAIL_ADDR=127.0.0.1:$mails DEV_SMTP_ADDR=127.0.0.1:$smtp \
	ROWHOUSE_DIR=$dir/data RATE_LIMIT_PER_MINUTE=0 LOG_LEVEL=warn bin/rowhouse dev >build/isolation-dev.txt 2>&1 &
dev=$!
until grep -q 'Stop it with Ctrl-C' build/isolation-dev.txt; do
	if ! kill -0 "$dev" 2>/dev/null; then
		cat build/isolation-dev.txt
		exit 2
	fi
	sleep 0.2
done

probe=0
SUPABASE_URL=http://localhost:$auth bin/rowhouse isolation --url "http://127.0.0.1:$api" --rate 0 \
	--json build/isolation.json --junit build/isolation-junit.xml --html build/isolation.html >build/isolation.txt || probe=$?
[ "$probe" -eq 0 ] || failed=1

cat <<END

Suite: $suite, $(tail -n 1 build/isolation-suite.txt); all of it in build/isolation-suite.txt
Probe: $(head -n 1 build/isolation.txt)
  build/isolation.html        to read
  build/isolation.txt         the same as text
  build/isolation.json        for programs
  build/isolation-junit.xml   for CI
END
exit "$failed"
