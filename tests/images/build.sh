#!/usr/bin/env bash
# Builds rowhouse-test/postgres:15 out of Debian's packages, for machines that
# have a Docker engine but cannot pull from a registry. Debian's security suite
# is part of it, because only the newest minor has the row-security fixes that
# the isolation tests rely on. Needs root (debootstrap) and a running engine;
# does nothing if the image is already what it would build.
set -euo pipefail
cd "$(dirname "$0")"

image=rowhouse-test/postgres:15
mirror=${DEBIAN_MIRROR:-http://deb.debian.org}
# The version that apt offers here is part of it, so that a new minor means a new image.
hash=$({
	cat build.sh entrypoint.sh
	apt-cache policy postgresql-15 2>/dev/null | sed -n 's/ *Candidate: //p'
} | sha256sum | cut -d' ' -f1)

label=$(docker image inspect --format '{{index .Config.Labels "rowhouse.files"}}' "$image" 2>/dev/null || true)
if [ "$label" = "$hash" ]; then
	echo "$image is up to date"
	exit 0
fi

# Not under /tmp: that may be a small tmpfs, or mounted nodev, where debootstrap refuses.
work=$(mktemp -d /var/tmp/rowhouse-image.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root
log=$work/log
install -d -m 0755 "$root"

step() {
	echo "$image: $1"
	shift
	"$@" >"$log" 2>&1 || {
		cat "$log" >&2
		exit 1
	}
}

step "Debian from $mirror" debootstrap --variant=minbase bookworm "$root" "$mirror/debian"

cat >"$root/etc/apt/sources.list" <<-END
	deb $mirror/debian bookworm main
	deb $mirror/debian-security bookworm-security main
END
# The packages must neither start a server nor make a cluster.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 0755 "$root/usr/sbin/policy-rc.d"
mkdir -p "$root/etc/postgresql-common"
echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"

export DEBIAN_FRONTEND=noninteractive LC_ALL=C
step "package lists" chroot "$root" apt-get -q update
step "security updates" chroot "$root" apt-get -qy upgrade
# plpgsql_check is what tests/advisors looks into functions with.
step "Postgres" chroot "$root" apt-get -qy install --no-install-recommends postgresql-15 postgresql-15-plpgsql-check
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{locale,man,doc}/*

install -m 0755 entrypoint.sh "$root/usr/local/bin/entrypoint.sh"
tar -C "$root" -c . | docker import \
	--change 'ENV PGDATA=/var/lib/postgresql/data' \
	--change 'ENV LANG=C.UTF-8' \
	--change 'ENTRYPOINT ["/usr/local/bin/entrypoint.sh"]' \
	--change 'CMD ["postgres"]' \
	--change 'EXPOSE 5432' \
	--change "LABEL rowhouse.files=$hash" \
	- "$image" >/dev/null
echo "$image: $(chroot "$root" /usr/lib/postgresql/15/bin/postgres --version)"
