#!/bin/sh
# Starts Postgres the way the official image does, as far as the tests use it:
# POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB shape the first start, and
# the arguments are the server's command line.
set -eu

bin=/usr/lib/postgresql/15/bin
as_postgres() { setpriv --reuid postgres --regid postgres --init-groups -- "$@"; }

[ "${1:-postgres}" = postgres ] || exec "$@"
[ $# -eq 0 ] || shift

if [ ! -s "$PGDATA/PG_VERSION" ]; then
	: "${POSTGRES_PASSWORD:?set it to the password of the superuser}"
	user=${POSTGRES_USER:-postgres}
	database=${POSTGRES_DB:-$user}

	install -d -o postgres -g postgres -m 0700 "$PGDATA"
	umask 077
	printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/password
	chown postgres:postgres /tmp/password
	as_postgres "$bin/initdb" --pgdata="$PGDATA" --username="$user" --pwfile=/tmp/password \
		--encoding=UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 --no-sync
	rm /tmp/password
	echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"

	# In single-user mode nobody can connect before the database exists.
	if [ "$database" != postgres ]; then
		echo "create database \"$database\"" |
			as_postgres "$bin/postgres" --single -D "$PGDATA" postgres >/dev/null
	fi
fi

exec setpriv --reuid postgres --regid postgres --init-groups -- \
	"$bin/postgres" -D "$PGDATA" -c listen_addresses='*' "$@"
