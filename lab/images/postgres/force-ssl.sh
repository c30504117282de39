#!/bin/sh
# RDS for PostgreSQL 16 has rds.force_ssl on: only TLS connections reach it from other hosts. The image opens plain
# TCP to everybody with a "host all all all" line; turn that line into hostssl. Loopback lines stay as they are.
set -eu
sed -i -E 's/^host([[:space:]]+all[[:space:]]+all[[:space:]]+all[[:space:]])/hostssl\1/' "$PGDATA/pg_hba.conf"
grep -qE '^hostssl[[:space:]]+all[[:space:]]+all[[:space:]]+all[[:space:]]' "$PGDATA/pg_hba.conf" || {
    echo "force-ssl: no 'host all all all' line was found in $PGDATA/pg_hba.conf" >&2
    exit 1
}
